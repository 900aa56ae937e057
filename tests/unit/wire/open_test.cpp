#include "rr/wire/open.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::header_hex;
using test::hex;
using test::Octets;
using test::to_hex;

// Version 4, AS 65000, hold time 90, identifier 10.0.0.1.
constexpr const char* kFixed = "04 fde8 005a 0a000001";

Octets octet(std::size_t value) { return {static_cast<std::uint8_t>(value)}; }

// An OPEN body with one capabilities parameter that holds `capabilities`.
Octets open_body(const Octets& capabilities) {
  using test::operator+;
  return hex(kFixed) + octet(capabilities.size() + 2) + octet(2) + octet(capabilities.size()) + capabilities;
}

struct OpenRow {
  const char* what;
  const char* capabilities;
  Capabilities value;
};

Capabilities with(auto set) {
  Capabilities out;
  set(out);
  return out;
}

std::vector<OpenRow> open_rows() {
  return {
      {"multiprotocol", "0104 00010080 0104 00020080 0104 00010084 0104 00190046", with([](auto& c) { c.multiprotocol = {{1, 128}, {2, 128}, {1, 132}, {25, 70}}; })},
      {"route refresh", "0200", with([](auto& c) { c.route_refresh = true; })},
      {"extended next hop", "050c 0001 0080 0002 0001 0001 0002", with([](auto& c) { c.extended_next_hop = {{{1, 128}, 2}, {{1, 1}, 2}}; })},
      {"extended message", "0600", with([](auto& c) { c.extended_message = true; })},
      {"role", "0901 03", with([](auto& c) { c.role = 3; })},
      {"graceful restart", "400a c078 0001 80 80 0002 80 00",
       with([](auto& c) { c.graceful_restart = GracefulRestart{true, true, 120, {{{1, 128}, true}, {{2, 128}, false}}}; })},
      {"graceful restart, helper only", "4002 0fff", with([](auto& c) { c.graceful_restart = GracefulRestart{false, false, 4095, {}}; })},
      {"four-octet AS", "4104 fa56ea00", with([](auto& c) { c.four_octet_as = 4200000000; })},
      {"add path", "450c 0001 80 01 0002 80 02 0001 84 03",
       with([](auto& c) { c.add_path = {{{1, 128}, true, false}, {{2, 128}, false, true}, {{1, 132}, true, true}}; })},
      {"enhanced route refresh", "4600", with([](auto& c) { c.enhanced_route_refresh = true; })},
      {"long-lived graceful restart", "4707 0001 80 80 015180", with([](auto& c) { c.long_lived_graceful_restart = {{{{1, 128}, true, 86400}}}; })},
      {"unknown", "8003 010203 8100", with([](auto& c) { c.unknown = {{128, {1, 2, 3}}, {129, {}}}; })},
      {"fqdn", "4909 03 706531 04 6c61622e", with([](auto& c) { c.fqdn = Fqdn{"pe1", "lab."}; })},
      {"software version", "4b06 05 68656c696f", with([](auto& c) { c.software_version = "helio"; })},
  };
}

TEST(Open, CapabilitiesBothWays) {
  for (const OpenRow& row : open_rows()) {
    Octets body = open_body(hex(row.capabilities));
    auto decoded = decode_open(body);
    ASSERT_TRUE(decoded) << row.what;
    OpenMessage expected;
    expected.my_as = 65000;
    expected.hold_time = 90;
    expected.bgp_identifier = 0x0a000001;
    expected.capabilities = row.value;
    EXPECT_EQ(*decoded, expected) << row.what;
    Octets out;
    encode_open(out, expected);
    EXPECT_EQ(to_hex(out), header_hex(static_cast<unsigned>(19 + body.size()), 1) + to_hex(body)) << row.what;
  }
}

TEST(Open, WithoutOptionalParameters) {
  OpenMessage open{65000, 0, 0x0a000001, {}, false};
  Octets out;
  encode_open(out, open);
  EXPECT_EQ(to_hex(out), header_hex(29, 1) + "04fde800000a00000100");
  EXPECT_EQ(*decode_open(Bytes(out).subspan(19)), open);
}

// RFC 6793 §9: AS_TRANS in the old field.
TEST(Open, AsNumber) {
  OpenMessage open;
  open.set_as(4200000000);
  EXPECT_EQ(open.my_as, kAsTrans);
  EXPECT_EQ(open.as(), 4200000000u);
  open.set_as(65000);
  EXPECT_EQ(open.my_as, 65000);
  open.capabilities.four_octet_as.reset();
  EXPECT_EQ(open.as(), 65000u);
}

// RFC 5492 §4: any grouping into parameters, and repetitions, say the same.
TEST(Open, OneParameterPerCapability) {
  Octets body = hex("04 fde8 005a 0a000001 12 0206 0104 00010080 0202 0200 0204 0200 0200");
  auto open = decode_open(body);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->capabilities.multiprotocol, (std::vector<AfiSafi>{{1, 128}}));
  EXPECT_TRUE(open->capabilities.route_refresh);
}

TEST(Open, RepeatedCapabilities) {
  auto capabilities = [](const char* text) { return decode_open(open_body(hex(text)))->capabilities; };
  EXPECT_EQ(capabilities("0104 00010080 0104 00010080").multiprotocol.size(), 1u);
  // RFC 4724 §3: the last instance counts.
  EXPECT_EQ(capabilities("4002 0078 4002 003c").graceful_restart->restart_time, 60);
  // RFC 7911 §4: the first entry of a family counts, values other than 1..3 are ignored.
  EXPECT_EQ(capabilities("4504 00018001 4504 00018002").add_path, (std::vector<AddPath>{{{1, 128}, true, false}}));
  EXPECT_TRUE(capabilities("4508 00018000 00018004").add_path.empty());
  EXPECT_EQ(capabilities("8001aa 8001aa 8001bb").unknown.size(), 2u);
  EXPECT_EQ(capabilities("0901 03 0901 03").role, 3);
  // RFC 9234 §4.2.
  EXPECT_EQ(decode_open(open_body(hex("0901 03 0901 02"))).error(), (Notification{2, 11, {}}));
}

struct OpenErrorRow {
  const char* what;
  const char* body;
  Notification error;
};

// RFC 4271 §6.2, RFC 6286 §2.1, RFC 7607 §2.
TEST(Open, Errors) {
  for (const OpenErrorRow& row : {
           OpenErrorRow{"version 3", "03 fde8 005a 0a000001 00", {2, 1, {0, 4}}},
           OpenErrorRow{"version 5, whatever follows", "05 fde8", {2, 1, {0, 4}}},
           OpenErrorRow{"AS 0", "04 0000 005a 0a000001 00", {2, 2, {}}},
           OpenErrorRow{"four-octet AS 0", "04 fde8 005a 0a000001 08 0206 4104 00000000", {2, 2, {}}},
           OpenErrorRow{"identifier 0", "04 fde8 005a 00000000 00", {2, 3, {}}},
           OpenErrorRow{"authentication parameter", "04 fde8 005a 0a000001 03 010100", {2, 4, {}}},
           OpenErrorRow{"unknown parameter", "04 fde8 005a 0a000001 02 0700", {2, 4, {}}},
           OpenErrorRow{"hold time 1", "04 fde8 0001 0a000001 00", {2, 6, {}}},
           OpenErrorRow{"hold time 2", "04 fde8 0002 0a000001 00", {2, 6, {}}},
           OpenErrorRow{"empty", "", {2, 0, {}}},
           OpenErrorRow{"ends before the option length", "04 fde8 005a 0a000001", {2, 0, {}}},
       }) {
    auto open = decode_open(hex(row.body));
    ASSERT_FALSE(open) << row.what;
    EXPECT_EQ(open.error(), row.error) << row.what;
  }
  EXPECT_TRUE(decode_open(hex("04 fde8 0003 0a000001 00")));
  EXPECT_TRUE(decode_open(hex("04 fde8 0000 0a000001 00")));
}

// HOSTILE-INPUT 1: lengths that lie, each one a CVE of somebody.
TEST(Open, HostileLengths) {
  for (const char* body : {
           "04 fde8 005a 0a000001 01",                          // CVE-2022-43681: ends at the option length
           "04 fde8 005a 0a000001 02 02",                       // option without length
           "04 fde8 005a 0a000001 00 0200",                     // octets beyond the option length
           "04 fde8 005a 0a000001 02 0201",                     // option beyond the message
           "04 fde8 005a 0a000001 05 0206 0104 00",             // CVE-2022-37032: capability beyond the option
           "04 fde8 005a 0a000001 03 0201 01",                  // capability without length
           "04 fde8 005a 0a000001 ff 0200",                     // option length beyond the message
           "04 fde8 005a 0a000001 ff ff",                       // CVE-2022-40302: extended, no length
           "04 fde8 005a 0a000001 ff ff00",                     // one octet short
           "04 fde8 005a 0a000001 ff ff0001",                   // extended length beyond the message
           "04 fde8 005a 0a000001 ff ff0002 0200",              // CVE-2022-40318: parameter header cut
           "04 fde8 005a 0a000001 ff ff0003 020001",            // parameter beyond the message
           "04 fde8 005a 0a000001 ff ff0000 00",                // octets beyond the extended length
           "04 fde8 005a 0a000001 05 0203 0101 00",             // multiprotocol of one octet
           "04 fde8 005a 0a000001 06 0204 4002 00",             // graceful restart beyond the option
           "04 fde8 005a 0a000001 05 0203 4001 00",             // CVE-2023-31489: graceful restart of one octet
           "04 fde8 005a 0a000001 09 0207 4005 0078 000180",    // a family without flags
           "04 fde8 005a 0a000001 07 0205 4103 000001",         // four-octet AS of three
           "04 fde8 005a 0a000001 07 0205 4503 000180",         // add path of three
           "04 fde8 005a 0a000001 09 0207 0505 0001008000",     // extended next hop of five
           "04 fde8 005a 0a000001 0a 0208 4706 000180000000",   // long-lived graceful restart of six
           "04 fde8 005a 0a000001 04 0202 0900",                // role of none
           "04 fde8 005a 0a000001 06 0204 0902 0303",           // role of two
       }) {
    auto open = decode_open(hex(body));
    ASSERT_FALSE(open) << body;
    EXPECT_EQ(open.error(), (Notification{2, 0, {}})) << body;
  }
}

// CVE-2026-5122 and the software version length of FRR: informational, so ignored.
TEST(Open, MalformedInformationIsIgnored) {
  for (const char* capability : {"4900", "4902 05 61", "4903 01 61 09", "4b00", "4b02 05 61"}) {
    auto open = decode_open(open_body(hex(capability)));
    ASSERT_TRUE(open) << capability;
    EXPECT_FALSE(open->capabilities.fqdn) << capability;
    EXPECT_TRUE(open->capabilities.software_version.empty()) << capability;
  }
}

// RFC 9072 §2.
TEST(Open, ExtendedParametersBothWays) {
  OpenMessage open{65000, 90, 0x0a000001, {}, true};
  for (unsigned code = 128; code < 128 + 5; ++code) open.capabilities.unknown.push_back({static_cast<std::uint8_t>(code), Octets(200, 7)});
  Octets out;
  encode_open(out, open);
  EXPECT_EQ(to_hex(Bytes(out).subspan(28, 8)), to_hex(hex("ff ff 03f5 02 03f2 80")));
  EXPECT_EQ(*decode_open(Bytes(out).subspan(19)), open);
  // The old length may be anything but 0.
  out[28] = 1;
  EXPECT_EQ(*decode_open(Bytes(out).subspan(19)), open);
  out[28] = 0;
  EXPECT_FALSE(decode_open(Bytes(out).subspan(19)));
  // Small ones in the extended form.
  auto small = decode_open(hex("04 fde8 005a 0a000001 ff ff0005 020002 0200"));
  ASSERT_TRUE(small);
  EXPECT_TRUE(small->extended_parameters && small->capabilities.route_refresh);
}

// wire 2.17: an old speaker is not sent RFC 9072 for the sake of a host name.
TEST(Open, LeavesInformationOutBeforeItExtends) {
  OpenMessage open{65000, 90, 0x0a000001, {}, false};
  open.capabilities.four_octet_as = 65000;
  open.capabilities.fqdn = Fqdn{std::string(250, 'h'), "d"};
  Octets out;
  encode_open(out, open);
  auto decoded = decode_open(Bytes(out).subspan(19));
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded->extended_parameters);
  EXPECT_FALSE(decoded->capabilities.fqdn);
  EXPECT_EQ(decoded->capabilities.four_octet_as, 65000u);
  open.extended_parameters = true;
  out.clear();
  encode_open(out, open);
  EXPECT_EQ(*decode_open(Bytes(out).subspan(19)), open);
}

TEST(Open, LongListsTakeSeveralCapabilities) {
  OpenMessage open{65000, 90, 0x0a000001, {}, true};
  for (std::uint16_t afi = 1; afi <= 100; ++afi) {
    open.capabilities.add_path.push_back({{afi, 1}, true, false});
    open.capabilities.extended_next_hop.push_back({{afi, 1}, 2});
  }
  Octets out;
  encode_open(out, open);
  EXPECT_EQ(*decode_open(Bytes(out).subspan(19)), open);
}

TEST(Open, CapabilityNames) {
  EXPECT_EQ(capability_name(capability::graceful_restart), "graceful-restart");
  EXPECT_EQ(capability_name(200), "unknown");
}

}  // namespace
}  // namespace helio::wire
