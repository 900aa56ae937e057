// The only file that sees libseccomp.
#include "rr/app/system_calls.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>

namespace helio::app {
namespace {

constexpr std::size_t kNumbers = 512;  // x86-64 has fewer than 470
std::array<std::atomic<std::uint64_t>, kNumbers> g_denied{};
std::atomic<std::uint64_t> g_total{0};

// On the thread whose system call was refused: it goes on as if the kernel had said EPERM.
void on_denied(int, siginfo_t* info, void* context) {
  g_denied[std::min<std::size_t>(static_cast<std::size_t>(info->si_syscall), kNumbers - 1)].fetch_add(1, std::memory_order_relaxed);
  g_total.fetch_add(1, std::memory_order_relaxed);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

constexpr const char* kAllowed[] = {
    // sockets and events
    "read", "write", "readv", "writev", "pread64", "pwrite64", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "connect", "bind", "listen",
    "accept", "accept4", "getsockname", "getpeername", "setsockopt", "getsockopt", "shutdown", "close", "close_range", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime", "poll", "ppoll", "select", "pselect6", "pipe2", "dup",
    "dup2", "dup3", "fcntl",
    // threads, time, signals to oneself
    "futex", "futex_waitv", "sched_yield", "sched_getaffinity", "sched_setaffinity", "getcpu", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier", "exit", "exit_group",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigtimedwait", "rt_sigpending", "sigaltstack", "tgkill", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
    // memory; mmap and mprotect below
    "munmap", "mremap", "madvise", "brk", "mincore",
    // files: configuration, keys, MRT, /proc, the control socket
    "open", "openat", "stat", "fstat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "lseek", "fsync",
    "fdatasync", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "chmod", "fchmod", "fchmodat", "statfs", "fstatfs", "getcwd",
    "flock", "umask", "fadvise64", "utimensat",
    // what the process may know of itself
    "uname", "sysinfo", "getrandom", "getrlimit", "getrusage", "times", "capget",
};
// Nobody but an intruder asks for these.
constexpr const char* kFatal[] = {"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "init_module", "finit_module", "kexec_load", "bpf", "mount", "setns", "unshare"};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

class Filter {
 public:
  Filter() : filter_(seccomp_init(SCMP_ACT_TRAP)) {}
  template <class... Arguments>
  void add(std::uint32_t action, const char* name, Arguments... arguments) {
    int number = seccomp_syscall_resolve_name(name);
    // Newer than the library: not there to be called by programs of its time either.
    if (number == __NR_SCMP_ERROR) return;
    check(seccomp_rule_add(filter_.get(), action, number, sizeof...(arguments), arguments...), name);
  }
  void set(scmp_filter_attr attribute, std::uint32_t value) { check(seccomp_attr_set(filter_.get(), attribute, value), "attribute"); }
  void load() { check(seccomp_load(filter_.get()), "load"); }
  const std::string& error() const { return error_; }

 private:
  void check(int result, const char* what) {
    if (result < 0 && error_.empty()) error_ = fmt::format("seccomp: {}: {}", what, std::strerror(-result));
  }
  std::unique_ptr<void, Release> filter_;
  std::string error_;
};

}  // namespace

bool can_restrict_system_calls() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#elif defined(__has_feature)
  return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
  return true;
#endif
}

std::string restrict_system_calls() {
  struct sigaction action {};
  action.sa_sigaction = on_denied;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return fmt::format("seccomp: sigaction: {}", std::strerror(errno));
  Filter filter;
  for (const char* name : kAllowed) filter.add(SCMP_ACT_ALLOW, name);
  for (const char* name : kFatal) filter.add(SCMP_ACT_KILL_PROCESS, name);
  for (int domain : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
    filter.add(SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(domain)), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM));
  for (int domain : {AF_INET, AF_INET6, AF_UNIX})
    filter.add(SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(domain)), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM));
  filter.add(SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(AF_NETLINK)), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW));
  for (const char* name : {"mmap", "mprotect"}) filter.add(SCMP_ACT_ALLOW, name, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  // Threads, no processes. clone3 hides its flags behind a pointer: told that it is not there, glibc takes clone.
  filter.add(SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  for (unsigned long request : {static_cast<unsigned long>(FIONREAD), static_cast<unsigned long>(FIONBIO), static_cast<unsigned long>(TCGETS)})
    filter.add(SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, request));
  for (int option : {PR_SET_NAME, PR_GET_NAME}) filter.add(SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(option)));
  // Reading limits, of itself only.
  filter.add(SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
  filter.set(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.set(SCMP_FLTATR_CTL_OPTIMIZE, 2);
  filter.load();
  return filter.error();
}

std::vector<DeniedCall> take_denied_calls() {
  std::vector<DeniedCall> out;
  for (std::size_t i = 0; i < kNumbers; ++i) {
    std::uint64_t count = g_denied[i].exchange(0, std::memory_order_relaxed);
    if (count == 0) continue;
    std::unique_ptr<char, decltype(&::free)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(i)), &::free);
    out.push_back({name ? name.get() : std::to_string(i), count});
  }
  return out;
}

std::uint64_t denied_calls() { return g_total.load(std::memory_order_relaxed); }

}  // namespace helio::app
