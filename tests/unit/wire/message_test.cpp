#include "rr/wire/message.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::header_hex;
using test::hex;
using test::Octets;
using test::to_hex;

TEST(Framer, KeepaliveBothWays) {
  Octets out;
  encode_keepalive(out);
  EXPECT_EQ(to_hex(out), header_hex(19, 4));
  auto frame = next_frame(out, kMaxMessage);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, MessageType::keepalive);
  EXPECT_EQ((*frame)->message.size(), 19u);
  EXPECT_TRUE((*frame)->body().empty());
}

// Any split of the stream gives the same frames.
TEST(Framer, WaitsForTheWholeMessage) {
  Octets stream = hex(header_hex(23, 2) + "00000000" + header_hex(19, 4));
  for (std::size_t size = 0; size < 23; ++size) {
    auto frame = next_frame(Bytes(stream).first(size), kMaxMessage);
    ASSERT_TRUE(frame) << size;
    EXPECT_FALSE(*frame) << size;
  }
  auto frame = next_frame(stream, kMaxMessage);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, MessageType::update);
  EXPECT_EQ(to_hex((*frame)->body()), "00000000");
}

struct ErrorRow {
  const char* what;
  std::string bytes;
  std::size_t max;
  Notification error;
};

// RFC 4271 §6.1: subcode and data of every header error; RFC 8654 §4 for the sizes.
TEST(Framer, Errors) {
  std::string marker(32, 'f');
  for (const ErrorRow& row : {
           ErrorRow{"marker", "00" + std::string(30, 'f') + "001304", kMaxMessage, {1, 1, {}}},
           ErrorRow{"last marker octet", std::string(30, 'f') + "fe" + "001304", kMaxMessage, {1, 1, {}}},
           ErrorRow{"marker before the header is complete", "ff00", kMaxMessage, {1, 1, {}}},
           ErrorRow{"length below the header", marker + "001204", kMaxMessage, {1, 2, {0x00, 0x12}}},
           ErrorRow{"length zero", marker + "000002", kMaxMessage, {1, 2, {0x00, 0x00}}},
           ErrorRow{"length over 4096", marker + "100102", kMaxMessage, {1, 2, {0x10, 0x01}}},
           ErrorRow{"keepalive with a body", marker + "001404", kMaxMessage, {1, 2, {0x00, 0x14}}},
           ErrorRow{"open below 29", marker + "001c01", kMaxMessage, {1, 2, {0x00, 0x1c}}},
           ErrorRow{"update below 23", marker + "001602", kMaxMessage, {1, 2, {0x00, 0x16}}},
           ErrorRow{"notification below 21", marker + "001403", kMaxMessage, {1, 2, {0x00, 0x14}}},
           ErrorRow{"extended open", marker + "100101", kMaxExtendedMessage, {1, 2, {0x10, 0x01}}},
           ErrorRow{"extended keepalive", marker + "100104", kMaxExtendedMessage, {1, 2, {0x10, 0x01}}},
           ErrorRow{"type 0", marker + "001300", kMaxMessage, {1, 3, {0x00}}},
           ErrorRow{"type 6", marker + "001306", kMaxMessage, {1, 3, {0x06}}},
           ErrorRow{"type 255", marker + "0013ff", kMaxMessage, {1, 3, {0xff}}},
       }) {
    auto frame = next_frame(hex(row.bytes), row.max);
    ASSERT_FALSE(frame) << row.what;
    EXPECT_EQ(frame.error(), row.error) << row.what;
  }
}

TEST(Framer, SizesAtTheLimits) {
  struct Row {
    unsigned length;
    unsigned type;
    std::size_t max;
  };
  for (const Row& row : {Row{4096, 2, kMaxMessage}, Row{65535, 2, kMaxExtendedMessage}, Row{65535, 3, kMaxExtendedMessage}, Row{65535, 5, kMaxExtendedMessage},
                         Row{29, 1, kMaxMessage}, Row{4096, 1, kMaxExtendedMessage}, Row{21, 3, kMaxMessage}, Row{23, 2, kMaxMessage}, Row{19, 5, kMaxMessage}}) {
    Octets bytes = hex(header_hex(row.length, row.type));
    bytes.resize(row.length);
    auto frame = next_frame(bytes, row.max);
    ASSERT_TRUE(frame && *frame) << row.length << " " << row.type;
    EXPECT_EQ((*frame)->message.size(), row.length);
    EXPECT_EQ(static_cast<unsigned>((*frame)->type), row.type);
  }
}

}  // namespace
}  // namespace helio::wire
