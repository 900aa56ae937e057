// Preloaded into heliod: its real-time clock is off by as many seconds as the file HELIO_CLOCK_SHIFT holds (a native long), which
// may change at any time. All other clocks are right, as when somebody sets the time of a running system.
// libfaketime would do, but its start-up asks for memory, jemalloc's asks for the time, and neither gets anywhere.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const long* shift;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("HELIO_CLOCK_SHIFT");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void* at = fd >= 0 ? mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (at != MAP_FAILED) shift = at;
  if (fd >= 0) close(fd);
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  int done = (int)syscall(SYS_clock_gettime, clock, out);
  if (done == 0 && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) out->tv_sec += *shift;
  return done;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
