// The release that this is; debian/changelog names the same.
#ifndef P2E_BASE_VERSION_H
#define P2E_BASE_VERSION_H

#define P2E_VERSION "0.1.0"

#endif
