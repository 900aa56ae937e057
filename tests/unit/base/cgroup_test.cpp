// ECOSYSTEM 3: limits of a container or service are those of its control groups, of either version.
#include "rr/base/cgroup.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace helio {
namespace {

class CgroupTest : public testing::Test {
 protected:
  CgroupTest() { std::filesystem::create_directories(root_); }
  ~CgroupTest() override { std::filesystem::remove_all(root_); }
  CgroupTest(const CgroupTest&) = delete;
  CgroupTest& operator=(const CgroupTest&) = delete;

  void file(const std::string& path, const std::string& text) {
    std::filesystem::path full = root_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text << "\n";
  }
  void expect(std::uint64_t limit, std::uint64_t used, std::uint32_t cores) {
    EXPECT_EQ(look().memory_limit(), limit);
    EXPECT_EQ(look().memory_used(), used);
    EXPECT_EQ(look().cores(), cores);
  }
  Cgroup look() { return Cgroup(root_.string(), (root_ / "membership").string()); }

  std::filesystem::path root_ = std::filesystem::temp_directory_path() / ("cgroup-test-" + std::to_string(::getpid()));
};

TEST_F(CgroupTest, TheLeastOfAllGroupsCounts) {
  file("membership", "0::/system.slice/heliod.service");
  file("system.slice/memory.max", "1000000");
  file("system.slice/memory.current", "900000");
  file("system.slice/memory.stat", "anon 500\nfile 300000\ninactive_file 200000\nactive_file 100000");
  file("system.slice/cpu.max", "250000 100000");
  file("system.slice/heliod.service/memory.max", "max");
  file("system.slice/heliod.service/memory.high", "2000000");
  file("system.slice/heliod.service/cpu.max", "max 100000");
  expect(1000000, 700000, 2);
  file("system.slice/heliod.service/memory.high", "800000");
  file("system.slice/heliod.service/memory.current", "5000");
  expect(800000, 5000, 2);
}

TEST_F(CgroupTest, InANamespaceTheRootIsTheContainersGroup) {
  file("membership", "0::/");
  file("memory.max", "4096000");
  file("memory.current", "4096");
  file("cpu.max", "50000 100000");
  expect(4096000, 4096, 1);
}

TEST_F(CgroupTest, VersionOneInAContainerWhosePathsAreTheHosts) {
  file("membership", "12:cpu,cpuacct:/docker/0123\n4:memory:/docker/0123\n0::/");
  file("memory/memory.limit_in_bytes", "4096000");
  file("memory/memory.usage_in_bytes", "300000");
  file("memory/memory.stat", "cache 1\ntotal_inactive_file 100000\ninactive_file 7");
  file("cpu/cpu.cfs_quota_us", "300000");
  file("cpu/cpu.cfs_period_us", "100000");
  expect(4096000, 200000, 3);
}

TEST_F(CgroupTest, NoneIsSaidInManyWays) {
  EXPECT_EQ(look().memory_limit(), 0u);
  file("membership", "nonsense\n5:memory:/a\n7:cpu:/a\n0::/a/b");
  EXPECT_EQ(look().memory_limit(), 0u);
  file("memory/a/memory.limit_in_bytes", "9223372036854771712");
  file("cpu/a/cpu.cfs_quota_us", "-1");
  file("cpu/a/cpu.cfs_period_us", "100000");
  file("a/b/memory.max", "max");
  file("a/b/memory.high", "max");
  expect(0, 0, ~0);
}

}  // namespace
}  // namespace helio
