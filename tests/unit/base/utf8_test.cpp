// Well-formed UTF-8 stays as it is, everything else becomes harmless (RFC 3629 §4).
#include "rr/base/utf8.hpp"

#include <gtest/gtest.h>

namespace helio {
namespace {

TEST(Utf8, KeepsWhatIsWellFormed) {
  for (const char* text : {"", "rr1.example", "käse", "€", "\xf0\x9f\x94\xa6", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(to_valid_utf8(text), text);
    EXPECT_EQ(to_printable(text), text);
  }
  EXPECT_EQ(to_valid_utf8("a\x1b[2Jb\n"), "a\x1b[2Jb\n");
}

TEST(Utf8, ReplacesWhatIsNot) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(to_valid_utf8("a\xff" "b"), "a" + r + "b");
  EXPECT_EQ(to_valid_utf8("\xc3"), r);                      // cut off
  EXPECT_EQ(to_valid_utf8("\xc0\x80"), r + r);              // overlong
  EXPECT_EQ(to_valid_utf8("\xe0\x80\x80"), r + r + r);      // overlong
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), r + r + r);      // surrogate
  EXPECT_EQ(to_valid_utf8("\xf4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(to_valid_utf8("\x80x"), r + "x");
}

TEST(Utf8, PrintableSteersNoTerminal) {
  EXPECT_EQ(to_printable("pe\x1b]0;owned\x07 1\n\x7f\xc2\x9b" "2J"), "pe?]0;owned? 1???2J");
}

}  // namespace
}  // namespace helio
