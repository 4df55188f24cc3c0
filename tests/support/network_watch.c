/* Preloaded into a program: writes down every name that it looks up and every address outside of this machine that it
   calls, and lets none of it out. What it found is appended to the file that NETWORK_WATCH_LOG names. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *kind, const char *what) {
    const char *path = getenv("NETWORK_WATCH_LOG");
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s\n", kind, what);
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (file < 0) abort(); /* a watch that sees nothing must not pass for silence */
    if (length >= (int)sizeof line) length = sizeof line - 1;
    if (write(file, line, length) != length) abort();
    close(file);
}

/* An address in digits is no look-up, and this machine's own name leaves it for nobody. */
static int at_home(const char *name) {
    unsigned char digits[sizeof(struct in6_addr)];
    return !name || !*name || !strcmp(name, "localhost") || inet_pton(AF_INET, name, digits) == 1 || inet_pton(AF_INET6, name, digits) == 1;
}

static int outside(const struct sockaddr *address) {
    char digits[INET6_ADDRSTRLEN] = "";
    if (!address) return 0;
    if (address->sa_family == AF_INET) {
        const struct in_addr *four = &((const struct sockaddr_in *)address)->sin_addr;
        if (ntohl(four->s_addr) >> 24 == 127 || four->s_addr == INADDR_ANY) return 0;
        inet_ntop(AF_INET, four, digits, sizeof digits);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six)) return 0;
        inet_ntop(AF_INET6, six, digits, sizeof digits);
    } else {
        return 0;
    }
    note("address", digits);
    errno = ENETUNREACH;
    return 1;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    if (at_home(name)) return next(name, service, hints, found);
    note("name", name);
    return EAI_FAIL;
}

struct hostent *gethostbyname(const char *name) {
    struct hostent *(*next)(const char *) = dlsym(RTLD_NEXT, "gethostbyname");
    if (at_home(name)) return next(name);
    note("name", name);
    h_errno = NO_RECOVERY;
    return NULL;
}

int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size, struct hostent **found, int *error) {
    int (*next)(const char *, struct hostent *, char *, size_t, struct hostent **, int *) = dlsym(RTLD_NEXT, "gethostbyname_r");
    if (at_home(name)) return next(name, entry, buffer, size, found, error);
    note("name", name);
    *found = NULL;
    *error = NO_RECOVERY;
    return EAGAIN;
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    return outside(address) ? -1 : next(socket, address, length);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length) {
    ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    return outside(address) ? -1 : next(socket, data, size, flags, address, length);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    ssize_t (*next)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    return outside(message->msg_name) ? -1 : next(socket, message, flags);
}

int sendmmsg(int socket, struct mmsghdr *messages, unsigned int count, int flags) {
    int (*next)(int, struct mmsghdr *, unsigned int, int) = dlsym(RTLD_NEXT, "sendmmsg");
    for (unsigned int n = 0; n < count; n++)
        if (outside(messages[n].msg_hdr.msg_name)) return -1;
    return next(socket, messages, count, flags);
}
