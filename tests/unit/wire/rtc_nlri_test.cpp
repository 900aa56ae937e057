#include <gtest/gtest.h>

#include "rr/wire/update.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::hex;
using test::Octets;
using test::to_hex;
using Status = RtcNlriReader::Status;

struct RtcRow {
  const char* bytes;
  RtMembership membership;
};
constexpr RtcRow kRows[] = {
    {"00", {0, 0, 0}},
    {"20 0000fde8", {32, 65000, 0}},
    {"60 0000fde8 0002fde800000065", {96, 65000, 0x0002fde800000065}},
    {"60 fa56ea00 0202fa56ea000001", {96, 4200000000, 0x0202fa56ea000001}},
    {"60 0000fde8 0102c00002010001", {96, 65000, 0x0102c00002010001}},
    {"40 0000fde8 0002fde8", {64, 65000, 0x0002fde800000000}},
    {"21 0000fde8 80", {33, 65000, 0x8000000000000000}},
    {"5f 0000fde8 0002fde800000064", {95, 65000, 0x0002fde800000064}},
};

// RFC 4684 §4.
TEST(RtcNlri, BothWays) {
  for (const RtcRow& row : kRows) {
    Octets bytes = hex(row.bytes);
    RtcNlriReader reader(bytes, false);
    RtMembership membership;
    std::uint32_t path_id = 0;
    ASSERT_EQ(reader.next(membership, path_id), Status::ok) << row.bytes;
    EXPECT_EQ(membership, row.membership) << row.bytes;
    EXPECT_EQ(reader.next(membership, path_id), Status::end) << row.bytes;
    Octets out;
    encode_rtc_nlri(out, row.membership);
    EXPECT_EQ(to_hex(out), to_hex(bytes));
  }
}

// Pitfall 1.23: bits beyond the length do not make another membership.
TEST(RtcNlri, MasksTrailingBits) {
  Octets bytes = hex("21 0000fde8 ff 5f 0000fde8 0002fde800000065");
  RtcNlriReader reader(bytes, false);
  RtMembership membership;
  std::uint32_t path_id = 0;
  ASSERT_EQ(reader.next(membership, path_id), Status::ok);
  EXPECT_EQ(membership, (RtMembership{33, 65000, 0x8000000000000000}));
  ASSERT_EQ(reader.next(membership, path_id), Status::ok);
  EXPECT_EQ(membership, (RtMembership{95, 65000, 0x0002fde800000064}));
}

// RFC 4684 §4, pitfall 1.14: 1..31 is wrong, alone; the walk goes on.
TEST(RtcNlri, InvalidLengthCostsOnlyItself) {
  for (unsigned length = 1; length < 32; ++length) {
    Octets bytes{static_cast<std::uint8_t>(length)};
    bytes.resize(1 + (length + 7) / 8, 0xaa);
    bytes = test::operator+(bytes, hex("20 0000fde8"));
    RtcNlriReader reader(bytes, false);
    RtMembership membership;
    std::uint32_t path_id = 0;
    EXPECT_EQ(reader.next(membership, path_id), Status::invalid) << length;
    EXPECT_EQ(reader.next(membership, path_id), Status::ok) << length;
    EXPECT_EQ(membership.origin_as, 65000u);
    EXPECT_EQ(reader.next(membership, path_id), Status::end) << length;
  }
}

TEST(RtcNlri, Malformed) {
  for (const char* bytes : {"60 0000fde8 0002fde8000000", "20 0000fd", "61 0000fde8 0002fde80000006500", "ff 0000fde8", "08"}) {
    Octets octets = hex(bytes);
    RtcNlriReader reader(octets, false);
    RtMembership membership;
    std::uint32_t path_id = 0;
    EXPECT_EQ(reader.next(membership, path_id), Status::malformed) << bytes;
  }
}

TEST(RtcNlri, PathIds) {
  Octets bytes = hex("00000005 20 0000fde8 00000006 00");
  RtcNlriReader reader(bytes, true);
  RtMembership membership;
  std::uint32_t path_id = 0;
  ASSERT_EQ(reader.next(membership, path_id), Status::ok);
  EXPECT_EQ(path_id, 5u);
  ASSERT_EQ(reader.next(membership, path_id), Status::ok);
  EXPECT_EQ(path_id, 6u);
  EXPECT_TRUE(membership.is_default());
  EXPECT_EQ(reader.next(membership, path_id), Status::end);
  Octets cut = hex("000000");
  RtcNlriReader cut_reader(cut, true);
  EXPECT_EQ(cut_reader.next(membership, path_id), Status::malformed);
}

}  // namespace
}  // namespace helio::wire
