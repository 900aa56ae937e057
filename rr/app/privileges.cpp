#include "rr/app/privileges.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

// Present when the program is linked with jemalloc.
extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_size, void* new_value, std::size_t new_size)
    __attribute__((weak));

namespace helio::app {
namespace {

// jemalloc's threads begin before main() and block every signal: while this lives there are none; then they begin anew, with
// what the calling thread may do.
class WithoutAllocatorThreads {
 public:
  WithoutAllocatorThreads() {
    bool off = false;
    std::size_t size = sizeof were_on_;
    if (mallctl && mallctl("background_thread", &were_on_, &size, &off, sizeof off) != 0) were_on_ = false;
  }
  ~WithoutAllocatorThreads() {
    bool on = true;
    if (were_on_) mallctl("background_thread", nullptr, nullptr, &on, sizeof on);
  }
  WithoutAllocatorThreads(const WithoutAllocatorThreads&) = delete;
  WithoutAllocatorThreads& operator=(const WithoutAllocatorThreads&) = delete;

 private:
  bool were_on_ = false;
};

// Of the calling thread. 0: done.
long set_capabilities(const __user_cap_data_struct (&data)[2]) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, data);
}

// Capabilities are a thread's own (capabilities(7)). glibc carries setuid() to all threads by a signal; so does this.
std::atomic<int> g_answered{0};
void on_give_up(int) {
  int error = errno;
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  set_capabilities({});
  g_answered.fetch_add(1);
  errno = error;
}

std::vector<pid_t> threads() {
  std::vector<pid_t> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ignored)) out.push_back(std::stoi(entry.path().filename()));
  return out;
}

// Of a thread, as the kernel shows it; none: it has ended.
std::string permitted(pid_t thread) {
  std::ifstream status(fmt::format("/proc/self/task/{}/status", thread));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("CapPrm:")) return line.substr(line.find_first_not_of(" \t", 7));
  return {};
}

bool has_none(pid_t thread) { return permitted(thread).find_first_not_of('0') == std::string::npos; }

}  // namespace

void begin_with_least_privileges() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  mode_t mask = ::umask(0777);
  ::umask(mask | 027);
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Needs CAP_SETPCAP; without it there was nothing to give up.
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct held[2]{};
  if (::syscall(SYS_capget, &header, held) != 0) return;
  constexpr std::uint32_t kForStart = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_CHOWN | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;
  for (auto& half : held) half.inheritable = 0;
  held[0].permitted &= kForStart;
  held[0].effective &= kForStart;
  held[1].permitted = held[1].effective = 0;
  set_capabilities(held);
}

std::string give_up_capabilities() {
  WithoutAllocatorThreads no_allocator_threads;
  struct sigaction action {};
  action.sa_handler = on_give_up;
  action.sa_flags = SA_RESTART;
  const int signal = SIGRTMIN + 3;
  if (::sigaction(signal, &action, nullptr) != 0) return std::strerror(errno);
  pid_t self = static_cast<pid_t>(::syscall(SYS_gettid));
  int asked = 0;
  for (pid_t thread : threads())
    if (thread != self && ::syscall(SYS_tgkill, ::getpid(), thread, signal) == 0) ++asked;
  on_give_up(0);
  ++asked;
  for (int i = 0; i < 1000 && g_answered.load() < asked; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::string error;
  for (pid_t thread : threads())
    if (!has_none(thread)) error = fmt::format("thread {} still has {}", thread, permitted(thread));
  // The handler stays: a thread that is late (one that the system did not run for a second) follows by it; without it the signal
  // would end the process.
  return error;
}

}  // namespace helio::app
