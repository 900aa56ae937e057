#include "rr/wire/vpn_nlri.hpp"

#include <gtest/gtest.h>

#include "rr/wire/update_encode.hpp"
#include "tests/unit/wire/hex.hpp"
#include "tests/unit/wire/vpn_text.hpp"

namespace helio::wire {
namespace {

using test::hex;
using test::Octets;
using test::to_hex;
using test::vpn;

// The decoded entry as "path-id|labels|rd|length|prefix octets".
std::string describe(const VpnNlri& entry, bool has_path_id) {
  std::string out = has_path_id ? std::to_string(entry.path_id) + "|" : "";
  out += to_hex(Bytes(entry.labels, entry.label_count * 3u)) + "|" + format_rd(entry.rd) + "|" + std::to_string(entry.length) + "|";
  return out + to_hex(Bytes(entry.prefix, (entry.length + 7u) / 8));
}

struct VpnRow {
  const char* what;
  const char* bytes;
  bool is_v6;
  bool is_withdrawal;
  bool has_path_id;
  const char* result;  // null: malformed
};

std::string first_entry(const VpnRow& row, NlriStatus& status) {
  Octets bytes = hex(row.bytes);
  VpnNlriReader reader(bytes, row.is_v6, row.is_withdrawal, row.has_path_id);
  VpnNlri entry;
  status = reader.next(entry);
  if (status != NlriStatus::ok) return "";
  std::string result = describe(entry, row.has_path_id);
  EXPECT_EQ(reader.next(entry), NlriStatus::end) << row.what;
  return result;
}

void expect_rows(std::initializer_list<VpnRow> rows) {
  for (const VpnRow& row : rows) {
    NlriStatus status{};
    std::string result = first_entry(row, status);
    if (row.result) {
      EXPECT_EQ(status, NlriStatus::ok) << row.what;
      EXPECT_EQ(result, row.result) << row.what;
    } else {
      EXPECT_EQ(status, NlriStatus::malformed) << row.what;
    }
  }
}

// RFC 4364 §4.3.4, RFC 8277 §2.
TEST(VpnNlri, Announcements) {
  expect_rows({
      {"vpnv4 /24", "70 000641 0000fde800000065 0a0000", false, false, false, "000641|65000:101|24|0a0000"},
      {"vpnv4 /0", "58 000641 0000fde800000065", false, false, false, "000641|65000:101|0|"},
      {"vpnv4 /32", "78 000641 0001c00002010007 0a000001", false, false, false, "000641|192.0.2.1:7|32|0a000001"},
      {"vpnv4 /20 with host bits", "6c 000641 0000fde800000065 0a00ff", false, false, false, "000641|65000:101|20|0a00ff"},
      {"vpnv6 /64", "98 000641 0000fde800000065 20010db800000001", true, false, false, "000641|65000:101|64|20010db800000001"},
      {"vpnv6 /128", "d8 000641 0000fde800000065 20010db8000000000000000000000001", true, false, false,
       "000641|65000:101|128|20010db8000000000000000000000001"},
      {"path id", "00000007 70 000641 0000fde800000065 0a0000", false, false, true, "7|000641|65000:101|24|0a0000"},
      {"two labels", "88 000640 0003e9 0000fde800000065 0a0000", false, false, false, "0006400003e9|65000:101|24|0a0000"},
      {"three labels", "a0 000640 000650 0003e9 0000fde800000065 0a0000", false, false, false, "0006400006500003e9|65000:101|24|0a0000"},
      {"two labels, the lower one 16", "88 000640 000101 0000fde800000065 0a0000", false, false, false, "000640000101|65000:101|24|0a0000"},
      {"two labels on vpnv6 where one would fit too", "80 000640 000101 0000fde800000065 2001", true, false, false, "000640000101|65000:101|16|2001"},
      {"explicit null", "70 000001 0000fde800000065 0a0000", false, false, false, "000001|65000:101|24|0a0000"},
  });
}

// RFC 8277 §2.2: without the Multiple Labels capability the S bit is ignored on reception.
TEST(VpnNlri, OneLabelWithoutBottomOfStackBit) {
  expect_rows({
      {"AS 65000", "70 000640 0000fde800000065 0a0000", false, false, false, "000640|65000:101|24|0a0000"},
      {"address RD", "70 000640 0001c00002010007 0a0000", false, false, false, "000640|192.0.2.1:7|24|0a0000"},
      {"four-octet RD", "70 000640 0002fa56ea000005 0a0000", false, false, false, "000640|4200000000:5|24|0a0000"},
      {"vpnv6", "98 000640 0000fde800000065 20010db800000001", true, false, false, "000640|65000:101|64|20010db800000001"},
      {"no S bit anywhere", "70 000640 0000fc0000000064 0a0000", false, false, false, "000640|64512:100|24|0a0000"},
  });
}

// RFC 8277 §2.4; wire 2.4, 3.1: the label field of a withdrawal is not looked at.
TEST(VpnNlri, WithdrawLabelForms) {
  struct Form {
    const char* what;
    const char* bytes;
    bool is_v6;
  };
  for (const Form& form : {Form{"RFC 8277", "70 800000 0000fde800000065 0a0000", false}, Form{"FRR", "70 000000 0000fde800000065 0a0000", false},
                           Form{"BIRD", "70 000001 0000fde800000065 0a0000", false}, Form{"GoBGP: the announced label", "70 000641 0000fde800000065 0a0000", false},
                           Form{"the announced stack", "88 000640 0003e9 0000fde800000065 0a0000", false},
                           Form{"a stack of four", "b8 000640 000650 000660 0003e9 0000fde800000065 0a0000", false},
                           Form{"any label without S bit", "70 0fff00 0000fde800000065 0a0000", false},
                           Form{"all ones", "70 ffffff 0000fde800000065 0a0000", false}, Form{"0x800000 on vpnv6", "70 800000 0000fde800000065 0a0000", true},
                           Form{"0x000000 on vpnv6", "70 000000 0000fde800000065 0a0000", true}}) {
    Octets bytes = hex(form.bytes);
    VpnNlriReader reader(bytes, form.is_v6, true, false);
    VpnNlri entry;
    ASSERT_EQ(reader.next(entry), NlriStatus::ok) << form.what;
    EXPECT_EQ(format_rd(entry.rd), "65000:101") << form.what;
    EXPECT_EQ(entry.length, 24) << form.what;
    EXPECT_EQ(to_hex(Bytes(entry.prefix, 3)), "0a0000") << form.what;
    EXPECT_EQ(reader.next(entry), NlriStatus::end) << form.what;
  }
}

TEST(VpnNlri, WithdrawDefaultRoutesAndHostRoutes) {
  expect_rows({
      {"/0 with 0x800000", "58 800000 0000fde800000065", false, true, false, "800000|65000:101|0|"},
      {"/0 with 0x000000", "58 000000 0000fde800000065", false, true, false, "000000|65000:101|0|"},
      {"/32 with 0x000000", "78 000000 0000fde800000065 0a000001", false, true, false, "000000|65000:101|32|0a000001"},
      {"path id", "00000007 70 800000 0000fde800000065 0a0000", false, true, true, "7|800000|65000:101|24|0a0000"},
  });
}

// RFC 7606 §5.3; HOSTILE-INPUT 2: below 88, above 120 (VPNv4) or 216 (VPNv6) bits, or beyond the field.
TEST(VpnNlri, Malformed) {
  expect_rows({
      {"length 0", "00", false, false, false, nullptr},
      {"length 87", "57 000641 0000fde800000065", false, false, false, nullptr},
      {"length 121", "79 000641 0000fde800000065 0a00000000", false, false, false, nullptr},
      {"vpnv6 length 217", "d9 000641 0000fde800000065 20010db800000000000000000000000100", true, false, false, nullptr},
      {"cut prefix", "70 000641 0000fde800000065 0a00", false, false, false, nullptr},
      {"cut RD", "58 000641 0000fde8000000", false, false, false, nullptr},
      {"only a length", "70", false, false, false, nullptr},
      {"cut path id", "000000", false, false, true, nullptr},
      {"path id and nothing", "00000007", false, false, true, nullptr},
      {"length 255", "ff 000641 0000fde800000065 0a0000000000000000000000000000000000000000000000", false, false, false, nullptr},
      {"stack without an end", "88 000640 000640 000000000000000000 0000", false, false, false, nullptr},
      {"withdrawal of 121 bits", "79 800000 0000fde800000065 0a00000000", false, true, false, nullptr},
      {"withdrawal cut", "70 800000 0000fde800000065 0a", false, true, false, nullptr},
  });
}

TEST(VpnNlri, EncodesWhatItReads) {
  Octets out;
  std::uint32_t one[] = {label_field(100)};
  std::uint32_t two[] = {label_field(100, false), label_field(62)};
  encode_vpn_nlri(out, vpn("65000:101", "10.0.0.0/24"), one);
  encode_vpn_nlri(out, vpn("192.0.2.1:7", "10.1.2.3/32"), two);
  encode_vpn_nlri(out, vpn("65000:101", "0.0.0.0/0"), one);
  EXPECT_EQ(to_hex(out), to_hex(hex("70 000641 0000fde800000065 0a0000 | 90 000640 0003e1 0001c00002010007 0a010203 | 58 000641 0000fde800000065")));
  Octets withdrawn;
  encode_vpn_withdraw(withdrawn, vpn("65000:101", "2001:db8::/32"), 9);
  EXPECT_EQ(to_hex(withdrawn), to_hex(hex("00000009 78 800000 0000fde800000065 20010db8")));
}

}  // namespace
}  // namespace helio::wire
