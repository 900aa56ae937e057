#include "rr/wire/notification.hpp"

#include <gtest/gtest.h>

#include "rr/wire/message.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::header_hex;
using test::hex;
using test::Octets;
using test::to_hex;

TEST(NotificationCodec, BothWays) {
  struct Row {
    const char* body;
    Notification value;
  };
  for (const Row& row : {Row{"0602", {6, 2, {}}}, Row{"0400", {4, 0, {}}}, Row{"0301", {3, 1, {}}}, Row{"01020fff", {1, 2, {0x0f, 0xff}}},
                         Row{"ffff00", {255, 255, {0}}}}) {
    Octets body = hex(row.body);
    auto decoded = decode_notification(body);
    ASSERT_TRUE(decoded) << row.body;
    EXPECT_EQ(*decoded, row.value) << row.body;
    Octets out;
    encode_notification(out, row.value);
    EXPECT_EQ(to_hex(out), header_hex(static_cast<unsigned>(19 + body.size()), 3) + row.body);
  }
}

TEST(NotificationCodec, ShortBodyIsABadMessageLength) {
  EXPECT_EQ(decode_notification({}).error(), (Notification{1, 2, {0, 19}}));
  EXPECT_EQ(decode_notification(hex("06")).error(), (Notification{1, 2, {0, 20}}));
}

TEST(NotificationCodec, QuotedDataIsCutToWhatEverySpeakerTakes) {
  Octets out;
  encode_notification(out, {3, 9, Octets(60000, 0xab)});
  EXPECT_EQ(out.size(), kMaxMessage);
}

// RFC 9003 §2, RFC 8203.
TEST(Cease, CarriesAShutdownCommunication) {
  Notification cease = make_cease(cease::administrative_shutdown, "maintenance until 04:00");
  EXPECT_EQ(cease.code, 6);
  EXPECT_EQ(cease.subcode, 2);
  EXPECT_EQ(cease.data.size(), 24u);
  EXPECT_EQ(cease.data[0], 23);
  EXPECT_EQ(format_notification(cease), "Cease/Administrative Shutdown: maintenance until 04:00");
  EXPECT_TRUE(make_cease(cease::administrative_reset).data.empty());
  EXPECT_EQ(format_notification(make_cease(cease::administrative_reset)), "Cease/Administrative Reset");
}

TEST(Cease, CutsTextBetweenCharacters) {
  EXPECT_EQ(make_cease(2, std::string(300, 'x')).data.size(), 256u);
  std::string text(254, 'x');
  text += "\xc3\xbc";  // the second octet would be number 256
  EXPECT_EQ(make_cease(2, text).data.size(), 255u);
  EXPECT_EQ(make_cease(2, text).data[0], 254);
  text = std::string(253, 'x') + "\xc3\xbc";
  EXPECT_EQ(make_cease(2, text).data[0], 255);
  EXPECT_EQ(make_cease(2, std::string(300, '\x80')).data, (Octets{0}));
}

TEST(NotificationText, NamesAndData) {
  struct Row {
    const char* body;
    const char* text;
  };
  for (const Row& row : {
           Row{"0400", "Hold Timer Expired"},
           Row{"0800", "Send Hold Timer Expired"},
           Row{"01020fff", "Message Header Error/Bad Message Length: data 0x0fff"},
           Row{"0206", "OPEN Message Error/Unacceptable Hold Time"},
           Row{"020b", "OPEN Message Error/Role Mismatch"},
           Row{"030b", "UPDATE Message Error/Malformed AS_PATH"},
           Row{"0503", "Finite State Machine Error/Unexpected Message in Established"},
           Row{"0701", "ROUTE-REFRESH Message Error/Invalid Message Length"},
           Row{"060100018000000064", "Cease/Maximum Number of Prefixes Reached: AFI 1 SAFI 128 limit 100"},
           Row{"0609060203616263", "Cease/Hard Reset (Cease/Administrative Shutdown: abc)"},
           Row{"060a", "Cease/BFD Down"},
           Row{"0663", "Cease/subcode 99"},
           Row{"6300", "code 99"},
           Row{"0000", "code 0"},
       }) {
    auto decoded = decode_notification(hex(row.body));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(format_notification(*decoded), row.text);
  }
}

// The text is the neighbour's: nothing of it may act on a terminal or break a log line.
TEST(NotificationText, EscapesHostileText) {
  auto text = [](const std::string& message) {
    return format_notification(make_cease(cease::administrative_shutdown, message)).substr(std::string("Cease/Administrative Shutdown: ").size());
  };
  EXPECT_EQ(text("a\nb\x1b[31m\x7f\\"), "a\\x0ab\\x1b[31m\\x7f\\\\");
  EXPECT_EQ(text("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(text("\xc0\xaf"), "\\xc0\\xaf");                  // overlong
  EXPECT_EQ(text("\xed\xa0\x80"), "\\xed\\xa0\\x80");          // surrogate
  EXPECT_EQ(text("\xc2\x9b"), "\\xc2\\x9b");                  // C1 control
  EXPECT_EQ(text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(text("x\xe2\x82"), "x\\xe2\\x82");                // cut short
}

TEST(NotificationText, ShutdownLengthThatLiesIsShownAsData) {
  EXPECT_EQ(format_notification({6, 2, {9, 'a', 'b'}}), "Cease/Administrative Shutdown: data 0x096162");
  EXPECT_EQ(format_notification({6, 2, {0}}), "Cease/Administrative Shutdown");
  EXPECT_EQ(format_notification({6, 9, {6, 9, 6, 9, 6, 9}}), "Cease/Hard Reset: data 0x060906090609");
  EXPECT_EQ(format_notification({3, 9, Octets(40, 0)}),
            "UPDATE Message Error/Optional Attribute Error: data 0x" + std::string(64, '0') + "... (40 octets)");
}

}  // namespace
}  // namespace helio::wire
