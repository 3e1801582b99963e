// What a service manager is told (sd_notify(3)), without its library.
#ifndef P2E_AGENT_NOTIFY_H
#define P2E_AGENT_NOTIFY_H

// Sends lines like "READY=1" to the socket that $NOTIFY_SOCKET names. Says and does nothing where
// there is none, or it does not answer: nobody is waiting then.
void p2e_notify(const char *state);
// "RELOADING=1", with the time that systemd wants to see.
void p2e_notify_reloading(void);

#endif
