/* A host whose wall clock is set 120 s ahead, for every process that preloads this: what it reads as the time of day,
   and the kernel's receive stamps (SO_TIMESTAMPNS), which on a real host come from that same clock. Built with
   OFFSET_FILE, it is as far ahead as that file says at this moment (a long, in s; negative: behind). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TIMESTAMPNS 35

#ifdef OFFSET_FILE
static long ahead_s(void) {
    static const volatile long *shared;
    if (!shared) {
        int fd = open(OFFSET_FILE, O_RDONLY | O_CLOEXEC);
        void *page = fd < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0) close(fd);
        if (page == MAP_FAILED) return 0;
        shared = page;
    }
    return *shared;
}
#else
static long ahead_s(void) { return 120; }
#endif

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += ahead_s();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (at && !clock_gettime(CLOCK_REALTIME, &now)) *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    ssize_t got = syscall(SYS_recvmsg, fd, message, flags);
    if (got < 0) return got;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != TIMESTAMPNS) continue;
        struct timespec at;
        memcpy(&at, CMSG_DATA(part), sizeof at);
        at.tv_sec += ahead_s();
        memcpy(CMSG_DATA(part), &at, sizeof at);
    }
    return got;
}
