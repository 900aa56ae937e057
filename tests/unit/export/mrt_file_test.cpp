// Files that have their name only when they are complete.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "rr/export/mrt_file.hpp"

namespace helio::exporter {
namespace {

namespace fs = std::filesystem;

class MrtFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "helio-mrt-" + std::to_string(::getpid());
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_)) out.push_back(entry.path().filename());
    return out;
  }
  std::string folder_;
  std::vector<std::uint8_t> bytes_{1, 2, 3};
};

TEST_F(MrtFileTest, HasItsNameWhenComplete) {
  auto file = MrtFile::create(folder_, "rib.x.mrt");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append(bytes_));
  EXPECT_THAT(names(), testing::ElementsAre(".rib.x.mrt.partial"));
  ASSERT_TRUE(file->publish());
  EXPECT_THAT(names(), testing::ElementsAre("rib.x.mrt"));
  EXPECT_EQ(fs::file_size(folder_ + "/rib.x.mrt"), 3u);
}

TEST_F(MrtFileTest, WhatIsGivenUpIsGone) {
  {
    auto file = MrtFile::create(folder_, "rib.x.mrt");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->append(bytes_));
    MrtFile moved = std::move(*file);
    EXPECT_FALSE(file->is_open());
    EXPECT_EQ(moved.size(), 3u);
  }
  EXPECT_THAT(names(), testing::IsEmpty());
}

TEST_F(MrtFileTest, ErrorsAreErrnoValues) {
  auto file = MrtFile::create(folder_ + "/nowhere", "rib.x.mrt");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error(), ENOENT);
  auto gone = MrtFile::create(folder_, "rib.x.mrt");
  ASSERT_TRUE(gone);
  fs::remove(folder_ + "/.rib.x.mrt.partial");
  auto published = gone->publish();
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error(), ENOENT);
}

// Of ours only; of a crash before.
TEST_F(MrtFileTest, PartialFilesAreRemoved) {
  for (const char* name : {".rib.1.mrt.partial", ".updates.1.mrt.partial", ".other.mrt.partial", "rib.1.mrt"}) std::ofstream(folder_ + "/" + name) << "x";
  remove_partial_files(folder_);
  EXPECT_THAT(names(), testing::UnorderedElementsAre(".other.mrt.partial", "rib.1.mrt"));
}

TEST_F(MrtFileTest, TheNewestOfAKindStay) {
  for (const char* name : {"rib.20261122.000000.mrt", "rib.20261121.235959.mrt", "rib.20261122.020000.mrt", "updates.20250101.000000.mrt", "rib.keep.this.one12.mrt",
                           "rib.20261122x010000.mrt", "my.20200101.000000.mrt", "rib.20200101.000000.mrt.gz"})
    std::ofstream(folder_ + "/" + name) << "x";
  keep_newest_files(folder_, "rib", 0);
  EXPECT_EQ(names().size(), 8u);
  keep_newest_files(folder_, "rib", 2);
  EXPECT_THAT(names(), testing::UnorderedElementsAre("rib.20261122.000000.mrt", "rib.20261122.020000.mrt", "updates.20250101.000000.mrt", "rib.keep.this.one12.mrt", "rib.20261122x010000.mrt",
                                                     "my.20200101.000000.mrt", "rib.20200101.000000.mrt.gz"));
  keep_newest_files(folder_ + "/nowhere", "rib", 2);
}

TEST(MrtFileName, IsInUtc) { EXPECT_EQ(mrt_file_name("rib", 1795370400), "rib.20261122.180000.mrt"); }

}  // namespace
}  // namespace helio::exporter
