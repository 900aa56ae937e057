#include "bench/pe/lib/process_stats.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace helio::pe {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t clock_value(clockid_t clock) {
  timespec t{};
  return clock_gettime(clock, &t) == 0 ? t.tv_sec * kNsPerSecond + t.tv_nsec : 0;
}

// Inodes of the listening sockets on the port, from /proc/net/tcp and tcp6.
std::vector<std::string> listening_inodes(std::uint16_t port) {
  std::vector<std::string> inodes;
  std::string wanted = fmt::format(":{:04X}", port);
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state, skip, inode;
      fields >> slot >> local >> remote >> state;
      for (int i = 0; i < 5; ++i) fields >> skip;
      fields >> inode;
      if (state == "0A" && local.ends_with(wanted)) inodes.push_back("socket:[" + inode + "]");
    }
  }
  return inodes;
}

}  // namespace

std::optional<int> find_listener(std::uint16_t port) {
  std::vector<std::string> inodes = listening_inodes(port);
  if (inodes.empty()) return std::nullopt;
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return std::nullopt;
  std::optional<int> found;
  while (dirent* entry = readdir(processes)) {
    int pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    std::string folder = fmt::format("/proc/{}/fd", pid);
    DIR* files = opendir(folder.c_str());
    if (files == nullptr) continue;
    while (dirent* file = readdir(files)) {
      char link[64];
      ssize_t n = readlink(fmt::format("{}/{}", folder, file->d_name).c_str(), link, sizeof link);
      if (n <= 0) continue;
      for (const std::string& inode : inodes) {
        if (inode == std::string_view(link, static_cast<std::size_t>(n))) found = pid;
      }
    }
    closedir(files);
    if (found) break;
  }
  closedir(processes);
  return found;
}

std::optional<ProcessSample> sample_process(int pid) {
  ProcessSample sample;
  clockid_t clock;
  if (clock_getcpuclockid(pid, &clock) != 0) return std::nullopt;
  sample.cpu_ns = clock_value(clock);
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(after_name + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  fields >> sample.user_ticks >> sample.system_ticks;
  std::uint64_t ticks = sample.user_ticks + sample.system_ticks;
  sample.user_share = ticks > 0 ? static_cast<double>(sample.user_ticks) / static_cast<double>(ticks) : 0;
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string key;
  std::uint64_t kib;
  while (status >> key) {
    if (key == "VmRSS:" && status >> kib) sample.rss_bytes = kib * 1024;
    if (key == "VmHWM:" && status >> kib) sample.peak_rss_bytes = kib * 1024;
  }
  return sample;
}

bool reset_peak_rss(int pid) {
  std::ofstream out(fmt::format("/proc/{}/clear_refs", pid));
  out << "5" << std::flush;
  return out.good();
}

std::string process_name(int pid) {
  std::ifstream in(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(in, name);
  return name;
}

MachineSample sample_machine() {
  MachineSample sample;
  std::ifstream in("/proc/stat");
  std::string cpu;
  std::int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
  in >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
  sample.busy_ns = (user + nice + system + irq + softirq) * (kNsPerSecond / sysconf(_SC_CLK_TCK));
  sample.cpus = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
  return sample;
}

std::string machine_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string line, model = "unknown CPU";
  while (std::getline(in, line)) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(line.find(':') + 2);
    break;
  }
  utsname system{};
  uname(&system);
  return fmt::format("{}, {} cores, {} {}", model, sysconf(_SC_NPROCESSORS_ONLN), system.sysname,
                     system.release);
}

std::int64_t own_cpu_ns() { return clock_value(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace helio::pe
