// A server of node's: prints what it receives, until "end".
const dgram = require("dgram");
const server = dgram.createSocket("udp4");
server.on("error", (error) => {
  console.log(`bind: ${error.code}`);
  process.exit(1);
});
server.on("message", (message) => {
  if (message.toString() === "end") process.exit(0);
  console.log(message.toString());
});
server.bind(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
