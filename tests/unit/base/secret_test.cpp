// Keys are overwritten after use and are never printed.
#include "rr/base/secret.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <ostream>

namespace helio {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!fmt::is_formattable<Secret>::value, "a secret in a log line does not compile");
static_assert(!Printable<Secret> && Printable<std::string>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

TEST(Secret, CopiesAndComparesLikeText) {
  Secret a("correct horse"), b = a, c("correct hors"), d("correct horsf");
  EXPECT_TRUE(a == b);
  EXPECT_FALSE(a == c);
  EXPECT_FALSE(a == d);
  EXPECT_TRUE(Secret() == Secret(""));
  EXPECT_TRUE(Secret("").empty());
  EXPECT_EQ(a.size(), 13u);
  Secret moved = std::move(b);
  EXPECT_TRUE(moved == a);
  EXPECT_TRUE(b.empty());
  b = moved;
  moved = "";
  EXPECT_TRUE(moved.empty());
  EXPECT_TRUE(b == a);
}

TEST(Secret, TakesTheTextAwayFromWhereItWas) {
  std::string line = "a key that is longer than what a string holds in place";
  const char* place = line.data();
  std::size_t size = line.size();
  Secret secret = Secret::take(line);
  EXPECT_EQ(secret.size(), size);
  EXPECT_TRUE(line.empty());
  EXPECT_TRUE(std::all_of(place, place + size, [](char c) { return c == 0; }));  // the string still owns the octets
}

TEST(Secret, IsTheFirstLineOfAFile) {
  std::string path = testing::TempDir() + "/helio-secret-test";
  auto content = [&](std::string_view text) { std::ofstream(path, std::ios::trunc) << text; };
  content("key\r\nsecond line\n");
  EXPECT_TRUE(read_secret(path) == Secret("key"));
  content("no end of line");
  EXPECT_TRUE(read_secret(path) == Secret("no end of line"));
  content("\n");
  ASSERT_TRUE(read_secret(path));
  EXPECT_TRUE(read_secret(path)->empty());
  content("");
  EXPECT_FALSE(read_secret(path));
  content(std::string(5000, 'x'));
  EXPECT_EQ(read_secret(path)->size(), 4096u);
  std::remove(path.c_str());
  EXPECT_FALSE(read_secret(path));
}

}  // namespace
}  // namespace helio
