// The process as the kernel and the allocator see it. Standard metric names, from /proc/self.
#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "telemetry/collectors.hpp"
#include "telemetry/families.hpp"

// Present when the program is linked with jemalloc.
extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_size, void* new_value, std::size_t new_size)
    __attribute__((weak));

namespace helio::telemetry {
namespace {

double count_open_files() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (!directory) return 0;
  double count = -1;  // the directory's own
  while (const dirent* entry = ::readdir(directory))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(directory);
  return count;
}

// Fields 14, 15 and 22 of /proc/self/stat (proc(5)), which follow the command in parentheses.
struct Stat {
  unsigned long long user_ticks = 0, system_ticks = 0, start_ticks = 0;
};
Stat read_stat() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  Stat stat;
  std::size_t behind_name = line.rfind(')');
  if (behind_name == std::string::npos) return stat;
  std::sscanf(line.c_str() + behind_name + 1,
              " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &stat.user_ticks,
              &stat.system_ticks, &stat.start_ticks);
  return stat;
}

double boot_time() {
  std::ifstream in("/proc/stat");
  std::string word;
  double seconds = 0;
  while (in >> word)
    if (word == "btime" && in >> seconds) break;
  return seconds;
}

void add_process(std::vector<prometheus::MetricFamily>& out) {
  auto single = [&](std::string name, FamilyBuilder::Type type, std::string help, double value) {
    FamilyBuilder family(std::move(name), type, std::move(help));
    family.add({}, value);
    family.finish(out);
  };
  using enum FamilyBuilder::Type;
  double tick = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Stat stat = read_stat();
  single("process_cpu_seconds_total", counter, "User and system CPU time spent.",
         static_cast<double>(stat.user_ticks + stat.system_ticks) / tick);
  static const double kBootTime = boot_time();
  single("process_start_time_seconds", gauge, "Start of the process, Unix time.",
         kBootTime + static_cast<double>(stat.start_ticks) / tick);
  unsigned long long size_pages = 0, resident_pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%llu %llu", &size_pages, &resident_pages) != 2) size_pages = resident_pages = 0;
    std::fclose(file);
  }
  double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  single("process_resident_memory_bytes", gauge, "Resident memory.", static_cast<double>(resident_pages) * page);
  single("process_virtual_memory_bytes", gauge, "Virtual memory.", static_cast<double>(size_pages) * page);
  single("process_open_fds", gauge, "Open file descriptors.", count_open_files());
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  single("process_max_fds", gauge, "File descriptors the process may open.", static_cast<double>(limit.rlim_cur));
}

void add_allocator(std::vector<prometheus::MetricFamily>& out) {
  FamilyBuilder family = gauge("allocator_bytes", "Memory of the allocator by kind.");
  if (mallctl) {
    // jemalloc's statistics are of the last epoch.
    std::uint64_t epoch = 1;
    std::size_t epoch_size = sizeof(epoch);
    mallctl("epoch", &epoch, &epoch_size, &epoch, epoch_size);
    for (const char* kind : {"allocated", "active", "metadata", "resident", "mapped", "retained"}) {
      std::size_t value = 0, value_size = sizeof(value);
      if (mallctl((std::string("stats.") + kind).c_str(), &value, &value_size, nullptr, 0) == 0)
        family.add({{"kind", kind}}, static_cast<double>(value));
    }
  } else {
    struct mallinfo2 info = ::mallinfo2();
    family.add({{"kind", "allocated"}}, static_cast<double>(info.uordblks + info.hblkhd));
    family.add({{"kind", "mapped"}}, static_cast<double>(info.arena + info.hblkhd));
  }
  family.finish(out);
}

class ProcessCollector : public prometheus::Collectable {
 public:
  explicit ProcessCollector(Build build) : build_(std::move(build)) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    FamilyBuilder info = gauge("build_info", "1; what the program was built from.");
    info.add({{"version", build_.version}, {"commit", build_.commit}, {"compiler", build_.compiler}, {"allocator", build_.allocator}}, 1);
    info.finish(out);
    add_allocator(out);
    add_process(out);
    return out;
  }

 private:
  Build build_;
};

}  // namespace

Collector make_process_collector(Build build) { return std::make_shared<ProcessCollector>(std::move(build)); }

}  // namespace helio::telemetry
