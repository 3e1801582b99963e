// A server of java's, which binds IPv6 sockets to mapped IPv4 addresses: prints what it receives, until
// "end".
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;

public class Datagram {
    public static void main(String[] args) throws Exception {
        DatagramSocket socket;
        try {
            socket = new DatagramSocket(Integer.parseInt(args[0]), InetAddress.getByName("127.0.0.1"));
        } catch (java.net.BindException error) {
            System.out.println("bind: " + error.getMessage());
            return;
        }
        System.out.println("ready");
        while (true) {
            DatagramPacket packet = new DatagramPacket(new byte[2000], 2000);
            socket.receive(packet);
            String text = new String(packet.getData(), 0, packet.getLength());
            if (text.equals("end")) {
                return;
            }
            System.out.println(text);
        }
    }
}
