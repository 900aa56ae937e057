// RFC 7606, row by row: every attribute with every way to be wrong, and what must come of it on internal and external
// sessions. The second half is about the message as a whole.
#include <gtest/gtest.h>

#include "rr/wire/attribute_table.hpp"
#include "tests/unit/wire/update_fixture.hpp"

namespace helio::wire {
namespace {

using namespace test;

enum class Outcome { accepted, kept_out, discarded, withdrawn, reset };

const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted: return "accepted";
    case Outcome::kept_out: return "kept out without an error";
    case Outcome::discarded: return "discarded";
    case Outcome::withdrawn: return "withdrawn";
    case Outcome::reset: return "reset";
  }
  return "";
}

// What decode_update made of a VPN route that carries `attribute` (replacing the ordinary one of that type).
Outcome outcome_of(const Octets& attribute, UpdateContext context) {
  std::uint8_t type = attribute.at(1);
  Octets attributes = hex(kReach);
  for (const char* ordinary : {kOrigin, kEmptyAsPath, kLocalPref, kRouteTarget})
    if (hex(ordinary)[1] != type && !(ordinary == kLocalPref && context.is_external)) attributes = attributes + hex(ordinary);
  attributes = attributes + attribute;
  Octets bytes = body(attributes);
  auto view = decode_update(bytes, context);
  if (!view) return Outcome::reset;
  bool kept = view->find(type) != nullptr;
  if (view->withdrawn_reach) {
    EXPECT_FALSE(view->reach);
    EXPECT_EQ(to_hex(view->withdrawn_reach->nlri), "700006410000fde8000000650a0000");
    EXPECT_GE(view->error_count, 1u);
    return Outcome::withdrawn;
  }
  EXPECT_TRUE(view->reach);
  if (view->error_count > 0) {
    EXPECT_EQ(view->errors[0].action, UpdateErrorAction::discard);
    EXPECT_EQ(view->errors[0].attribute, type);
    EXPECT_FALSE(kept);
    return Outcome::discarded;
  }
  return kept ? Outcome::accepted : Outcome::kept_out;
}

struct AttributeRow {
  const char* clause;
  const char* attribute;
  Outcome on_internal;
  Outcome on_external;
};

constexpr Outcome ok = Outcome::accepted, silent = Outcome::kept_out, discard = Outcome::discarded, withdraw = Outcome::withdrawn;

void expect_rows(std::initializer_list<AttributeRow> rows, UpdateContext inside = internal()) {
  UpdateContext outside = inside;
  outside.is_external = true;
  for (const AttributeRow& row : rows) {
    EXPECT_STREQ(name(outcome_of(hex(row.attribute), inside)), name(row.on_internal)) << row.clause << ": " << row.attribute << " (internal)";
    EXPECT_STREQ(name(outcome_of(hex(row.attribute), outside)), name(row.on_external)) << row.clause << ": " << row.attribute << " (external)";
  }
}

TEST(AttributeErrors, Origin) {
  expect_rows({{"RFC 7606 7.1", "400101 00", ok, ok},
               {"RFC 7606 7.1", "400101 02", ok, ok},
               {"RFC 7606 7.1", "400101 03", withdraw, withdraw},
               {"RFC 7606 7.1", "400100", withdraw, withdraw},
               {"RFC 7606 7.1", "400102 0000", withdraw, withdraw}});
}

TEST(AttributeErrors, AsPath) {
  expect_rows({{"RFC 7606 7.2", "400206 0201 0000fde9", ok, ok},
               {"RFC 7606 7.2", "40020e 0201 0000fde9 0101 0000fdea 0000", withdraw, withdraw},
               {"RFC 7606 7.2: set", "40020c 0201 0000fde9 0101 0000fdea", ok, ok},
               {"RFC 7606 7.2: segment type 5", "400206 0501 0000fde9", withdraw, withdraw},
               {"RFC 7606 7.2: segment type 0", "400206 0001 0000fde9", withdraw, withdraw},
               {"RFC 7606 7.2: segment of no AS", "400202 0200", withdraw, withdraw},
               {"RFC 7606 7.2: overrun", "400206 0202 0000fde9", withdraw, withdraw},
               {"RFC 7606 7.2: underrun", "400207 0201 0000fde9 02", withdraw, withdraw},
               {"RFC 7606 7.2: one octet", "400201 02", withdraw, withdraw},
               {"RFC 7607 2: AS 0", "40020a 0202 0000fde9 00000000", withdraw, withdraw},
               {"RFC 5065 5: confederation sequence", "400206 0301 0000fde9", ok, withdraw},
               {"RFC 5065 5: confederation set", "400206 0401 0000fde9", ok, withdraw}});
}

TEST(AttributeErrors, TwoOctetAsPath) {
  UpdateContext old = internal();
  old.four_octet_as = false;
  expect_rows({{"RFC 4271 4.3", "400206 0202 fde9 5ba0", ok, ok},
               {"RFC 7606 7.2: four octets where two belong", "400208 0201 0000fde9 0000", withdraw, withdraw},
               {"RFC 7607 2", "400204 0201 0000", withdraw, withdraw},
               {"RFC 6793 6", "c01106 0201 fa56ea00", ok, ok},
               {"RFC 6793 6: too short", "c01102 0200", discard, discard},
               {"RFC 6793 6: odd", "c01107 0201 fa56ea00 02", discard, discard},
               {"RFC 6793 6: segment of no AS", "c01108 0200 0201 0000fde9", discard, discard},
               {"RFC 6793 6: segment type", "c01106 0901 fa56ea00", discard, discard},
               {"RFC 6793 6: overrun", "c01106 02ff fa56ea00", discard, discard},
               {"RFC 7607 2", "c01106 0201 00000000", discard, discard},
               {"RFC 6793 6: confederation segments are only left out", "c01106 0301 fa56ea00", ok, ok},
               {"RFC 6793 6", "c01208 fa56ea00 0a000001", ok, ok},
               {"RFC 6793 6", "c01206 fa56ea00 0a00", discard, discard},
               {"RFC 7607 2", "c01208 00000000 0a000001", discard, discard},
               {"RFC 7606 7.7", "c00706 fde8 0a000001", ok, ok},
               {"RFC 7606 7.7", "c00708 0000fde8 0a000001", discard, discard}},
              old);
}

// RFC 6793 §4.1: between two four-octet speakers they have no place.
TEST(AttributeErrors, As4AttributesFromAFourOctetNeighbour) {
  expect_rows({{"RFC 6793 4.1", "c01106 0201 fa56ea00", discard, discard}, {"RFC 6793 4.1", "c01208 fa56ea00 0a000001", discard, discard}});
}

TEST(AttributeErrors, FixedLengths) {
  expect_rows({{"RFC 7606 7.4", "800404 00000064", ok, ok},
               {"RFC 7606 7.4", "800403 000064", withdraw, withdraw},
               {"RFC 7606 7.4", "800405 0000000064", withdraw, withdraw},
               {"RFC 7606 7.5", "400504 00000064", ok, discard},
               {"RFC 7606 7.5", "400503 000064", withdraw, discard},
               {"RFC 7606 7.5", "400500", withdraw, discard},
               {"RFC 7606 7.6", "400600", ok, ok},
               {"RFC 7606 7.6", "400601 00", discard, discard},
               {"RFC 7606 7.7", "c00708 0000fde8 0a000001", ok, ok},
               {"RFC 7606 7.7", "c00706 fde8 0a000001", discard, discard},
               {"RFC 7606 7.7", "c00700", discard, discard},
               {"RFC 7607 2", "c00708 00000000 0a000001", discard, discard},
               {"RFC 7606 7.9", "800904 0a000001", ok, discard},
               {"RFC 7606 7.9", "800903 0a0000", withdraw, discard},
               {"RFC 7606 7.9", "800908 0a0000010a000002", withdraw, discard},
               {"RFC 9234 5", "c02304 0000fde8", ok, ok},
               {"RFC 9234 5", "c02303 00fde8", withdraw, withdraw}});
}

TEST(AttributeErrors, Lists) {
  expect_rows({{"RFC 7606 7.8", "c00804 ffffff01", ok, ok},
               {"RFC 7606 7.8", "c00800", withdraw, withdraw},
               {"RFC 7606 7.8", "c00806 ffffff01 0000", withdraw, withdraw},
               {"RFC 7606 7.10", "800a08 0a000001 0a000002", ok, discard},
               {"RFC 7606 7.10", "800a00", withdraw, discard},
               {"RFC 7606 7.10", "800a03 0a0000", withdraw, discard},
               {"RFC 7606 7.14", "c01010 0002fde800000001 0002fde800000002", ok, ok},
               {"RFC 7606 7.14", "c01000", withdraw, withdraw},
               {"RFC 7606 7.14", "c01007 0002fde8000000", withdraw, withdraw},
               {"RFC 7606 7.15", "c01914 0002 20010db8000000000000000000000001 0001", ok, ok},
               {"RFC 7606 7.15", "c01900", withdraw, withdraw},
               {"RFC 7606 7.15", "c01910 0002 20010db80000000000000000 0001", withdraw, withdraw},
               {"RFC 8092 6", "c0200c 0000fde8 00000001 00000002", ok, ok},
               {"RFC 8092 6", "c02000", withdraw, withdraw},
               {"RFC 8092 6", "c02008 0000fde8 00000001", withdraw, withdraw}});
}

TEST(AttributeErrors, TlvAttributes) {
  expect_rows({{"RFC 6514 5", "c01605 00 06 000641", ok, ok},
               {"RFC 6514 5", "c01604 00 06 0006", withdraw, withdraw},
               {"RFC 9012 2", "c01709 0008 0005 02 03 010203", ok, ok},
               {"RFC 9012 2: sub-TLV with a two-octet length", "c0170a 0008 0006 80 0003 010203", ok, ok},
               {"RFC 9012 2: nothing in it", "c01700", ok, ok},
               {"RFC 9012 13: TLV overrun", "c01709 0008 0006 02 03 010203", withdraw, withdraw},
               {"RFC 9012 13: sub-TLV overrun", "c01709 0008 0005 02 04 010203", withdraw, withdraw},
               {"RFC 9012 13: cut", "c01703 0008 00", withdraw, withdraw},
               {"RFC 9012 13: cut sub-TLV length", "c01706 0008 0002 80 00", withdraw, withdraw},
               {"RFC 7311 3", "801a0b 01 000b 00000000000000ff", ok, silent},
               {"RFC 7311 3: length 10", "801a0a 01 000a 000000000000ff", discard, silent},
               {"RFC 7311 3: TLV length 2", "801a03 07 0002", discard, silent},
               {"RFC 7311 3: overrun", "801a0b 01 00ff 00000000000000ff", discard, silent},
               {"RFC 7311 3: other TLV", "801a04 07 0004 ff", ok, silent},
               {"RFC 7311 3: transitive", "c01a0b 01 000b 00000000000000ff", discard, silent},
               {"RFC 6368 5", "c08007 0000fde8 400600", ok, ok},
               {"RFC 7606 7.16", "c08003 0000fd", withdraw, withdraw},
               {"RFC 7606 7.16: overrun", "c08007 0000fde8 400601", withdraw, withdraw},
               {"RFC 6368 5: MP_REACH inside", "c0800a 0000fde8 800e03 000180", withdraw, withdraw}});
}

TEST(AttributeErrors, AigpFromOutsideWhereEnabled) {
  UpdateContext context = external();
  context.accept_external_aigp = true;
  EXPECT_EQ(outcome_of(hex("801a0b 01 000b 00000000000000ff"), context), Outcome::accepted);
  EXPECT_EQ(outcome_of(hex("801a03 07 0002"), context), Outcome::discarded);
}

// RFC 8669 §6: never more than the attribute; 20 May 2025 and FRR 19336 were this attribute.
TEST(AttributeErrors, PrefixSid) {
  expect_rows({{"RFC 8669 3.1", "c0280a 01 0007 00 0000 00000064", ok, ok},
               {"RFC 8669 3.2", "c0280b 03 0008 0000 003e80 001f40", ok, ok},
               {"RFC 8669 6: unknown TLV", "c02804 63 0001 ff", ok, ok},
               {"all zero octets", "c02809 000000000000000000", discard, discard},
               {"no TLV", "c02800", discard, discard},
               {"one octet", "c02801 01", discard, discard},
               {"label index length", "c02809 01 0006 00 0000 000064", discard, discard},
               {"TLV overrun", "c0280a 01 00ff 00 0000 00000064", discard, discard},
               {"SRGB length", "c0280a 03 0007 0000 003e80 001f", discard, discard},
               {"SRGB without a range", "c02805 03 0002 0000", discard, discard},
               {"RFC 9252 2", "c0281c 05 0019 00 01 0015 00 20010db8000000000000000000000001 00 0013 00", ok, ok},
               {"RFC 9252 3.2: with structure", "c02825 05 0022 00 01 001e 00 20010db8000000000000000000000001 00 0013 00 01 0006 201000 103810", ok, ok},
               {"RFC 9252 7: empty service TLV", "c02803 05 0000", discard, discard},
               {"RFC 9252 7: short SID (CVE-2023-31490)", "c02808 05 0005 00 01 0001 00", discard, discard},
               {"RFC 9252 7: sub-TLV overrun", "c02807 06 0004 00 01 00ff", discard, discard},
               {"RFC 9252 7: sub-sub-TLV overrun", "c0281f 05 001c 00 01 0018 00 20010db8000000000000000000000001 00 0013 00 01 00ff", discard, discard}});
}

// RFC 7606 §3.c: the Optional or Transitive flag in conflict with the attribute is treat-as-withdraw; Partial and
// Extended Length are no conflict.
TEST(AttributeErrors, Flags) {
  struct Good {
    const char* value;
    std::uint8_t flags;
    std::uint8_t type;
  };
  UpdateContext old = internal();
  old.four_octet_as = false;
  for (const Good& row : {Good{"01 00", 0x40, 1}, Good{"06 0202 fde9 5ba0", 0x40, 2}, Good{"04 00000064", 0x80, 4}, Good{"04 00000064", 0x40, 5}, Good{"00", 0x40, 6},
                          Good{"06 fde8 0a000001", 0xc0, 7}, Good{"04 ffffff01", 0xc0, 8}, Good{"04 0a000001", 0x80, 9}, Good{"04 0a000001", 0x80, 10},
                          Good{"08 0002fde800000001", 0xc0, 16}, Good{"06 0201 fa56ea00", 0xc0, 17}, Good{"08 fa56ea00 0a000001", 0xc0, 18}, Good{"05 00 06 000641", 0xc0, 22},
                          Good{"04 0008 0000", 0xc0, 23}, Good{"14 0002 20010db8000000000000000000000001 0001", 0xc0, 25}, Good{"0c 0000fde8 00000001 00000002", 0xc0, 32},
                          Good{"04 0000fde8", 0xc0, 35}, Good{"0a 01 0007 00 0000 00000064", 0xc0, 40}, Good{"04 0000fde8", 0xc0, 128}}) {
    const AttributeRule* rule = find_attribute_rule(row.type);
    ASSERT_TRUE(rule);
    EXPECT_EQ(rule->flags, row.flags) << rule->name;
    for (unsigned flags = 0; flags < 4; ++flags) {
      for (std::uint8_t partial : {0x00, 0x20}) {
        Octets attribute{static_cast<std::uint8_t>(flags << 6 | partial), row.type};
        attribute = attribute + hex(row.value);
        Outcome expected = flags << 6 == row.flags ? Outcome::accepted : Outcome::withdrawn;
        EXPECT_STREQ(name(outcome_of(attribute, old)), name(expected)) << rule->name << " flags " << flags * 64;
      }
    }
    Octets extended{static_cast<std::uint8_t>(row.flags | 0x10), row.type, 0};
    EXPECT_STREQ(name(outcome_of(extended + hex(row.value), old)), "accepted") << rule->name << " extended length";
  }
}

// RFC 4271 §4.3: the low four bits "MUST be ignored when received".
TEST(AttributeErrors, UnusedFlagBitsAreIgnored) {
  expect_rows({{"RFC 4271 4.3", "4f0101 00", ok, ok},
               {"RFC 4271 4.3", "8f0404 00000064", ok, ok},
               {"RFC 4271 4.3", "cf0804 ffffff01", ok, ok},
               {"RFC 4271 4.3", "cffe03 010203", ok, ok},
               {"RFC 4271 4.3: the bits that count still do", "cf0101 00", withdraw, withdraw}});
}

TEST(AttributeErrors, FlagsOfMpAttributes) {
  Octets bytes = body({std::string("c0") + (kReach + 2), kOrigin, kEmptyAsPath, kLocalPref});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->withdrawn_reach);
  // A withdrawal is what treat-as-withdraw would make of it anyway.
  bytes = body({std::string("c0") + (kUnreach + 2)});
  view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->unreach);
  EXPECT_EQ(view->error_count, 1u);
}

// RFC 7606 §3.d.
TEST(UpdateErrors, MissingMandatoryAttributes) {
  struct Missing {
    std::vector<std::string> attributes;
    int type;
    bool only_internal;
  };
  for (const Missing& row : {Missing{{kEmptyAsPath, kLocalPref}, attr::origin, false}, Missing{{kOrigin, kLocalPref}, attr::as_path, false},
                             Missing{{kOrigin, kEmptyAsPath}, attr::local_pref, true}}) {
    Octets attributes = hex(kReach);
    for (const std::string& attribute : row.attributes) attributes = attributes + hex(attribute);
    Octets bytes = body(attributes);
    auto view = decode_update(bytes, internal());
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->withdrawn_reach && !view->reach) << row.type;
    EXPECT_EQ(view->errors[0].attribute, row.type);
    if (row.only_internal) {
      view = decode_update(bytes, external());
      EXPECT_TRUE(view->reach);
    }
  }
  // Everything missing (CVE-2023-46753).
  Octets bytes = body({kReach, "c0fe03 010203"});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->withdrawn_reach);
  EXPECT_EQ(view->error_count, 3u);
}

// RFC 7606 §3.g.
TEST(UpdateErrors, RepeatedAttributes) {
  Octets bytes = vpn_route("400504 000000c8 | 400101 07 | c0fe01 01 | c0fe01 02");
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(to_hex(view->find(attr::local_pref)->value), "00000064");
  EXPECT_EQ(to_hex(view->find(254)->value), "01");
  EXPECT_EQ(view->attribute_count, 5u);
  EXPECT_EQ(view->error_count, 3u);
  for (const char* mp : {kReach, kUnreach}) {
    Octets twice = body({mp, mp, kOrigin, kEmptyAsPath, kLocalPref});
    auto reset = decode_update(twice, internal());
    ASSERT_FALSE(reset);
    EXPECT_EQ(reset.error(), (Notification{3, 1, {}}));
  }
}

// RFC 7606 §4: the list is cut; NLRI that were located are withdrawn.
TEST(UpdateErrors, AttributeBeyondTheList) {
  for (const char* tail : {"c00808 ffffff01", "d0080008 ffffff01", "c0", "c008", "d00800", "c008ff"}) {
    Octets bytes = vpn_route(tail);
    auto view = decode_update(bytes, internal());
    ASSERT_TRUE(view) << tail;
    EXPECT_TRUE(view->withdrawn_reach && !view->reach) << tail;
    // RFC 7606 §5.2: with no NLRI seen, where they are is unknown.
    Octets without = body({kOrigin, kEmptyAsPath, kLocalPref, tail});
    EXPECT_EQ(decode_update(without, internal()).error().code, 3) << tail;
    EXPECT_EQ(decode_update(without, internal()).error().subcode, 1) << tail;
    Octets after_unreach = body({kUnreach, tail});
    EXPECT_FALSE(decode_update(after_unreach, internal())) << tail;
    // The NLRI field is located by the Total Path Attribute Length.
    Octets plain = body({kOrigin, kEmptyAsPath, kLocalPref, kNextHop, tail}, "18 0a0000");
    auto ipv4 = decode_update(plain, with_ipv4());
    ASSERT_TRUE(ipv4) << tail;
    EXPECT_EQ(to_hex(ipv4->withdrawn_ipv4_nlri), "180a0000") << tail;
  }
}

// RFC 4271 §6.3: 3/1 when the fields cannot be delimited (CVE-2026-37462).
TEST(UpdateErrors, FieldLengths) {
  for (const char* bytes : {"", "00", "0000", "000000", "00010000", "ffff0000", "00000001", "0000ffff", "0002 0000", "0001 08 0001", "00000004400101"}) {
    auto view = decode_update(hex(bytes), internal());
    ASSERT_FALSE(view) << bytes;
    EXPECT_EQ(view.error(), (Notification{3, 1, {}})) << bytes;
  }
}

// RFC 7606 §5.2: an error beyond discard, attributes other than MP_UNREACH, and no reachable NLRI.
TEST(UpdateErrors, SevereErrorWithoutReachableNlriResets) {
  Octets bytes = body({kUnreach, "400101 07"});
  auto view = decode_update(bytes, internal());
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error(), (Notification{3, 6, {0x40, 1, 1, 7}}));
  bytes = body({"400102 0000"});
  EXPECT_EQ(decode_update(bytes, internal()).error(), (Notification{3, 5, {0x40, 1, 2, 0, 0}}));
  bytes = body({"c00101 00"});
  EXPECT_EQ(decode_update(bytes, internal()).error(), (Notification{3, 4, {0xc0, 1, 1, 0}}));
  // CVE-2026-30405, CVE-2023-41358: NEXT_HOP short with no NLRI at all.
  bytes = body({"400302 0a00"});
  EXPECT_EQ(decode_update(bytes, internal()).error().subcode, 5);
  // Discard stays discard.
  bytes = body({kUnreach, "400601 00"});
  EXPECT_TRUE(decode_update(bytes, internal()));
}

// RFC 4271 §6.3: the data is the attribute.
TEST(UpdateErrors, UnknownWellKnownAttribute) {
  for (const char* attribute : {"00fe01 07", "40fe01 07", "400000"}) {
    Octets bytes = vpn_route(attribute);
    auto view = decode_update(bytes, internal());
    ASSERT_FALSE(view) << attribute;
    EXPECT_EQ(view.error(), (Notification{3, 2, hex(attribute)})) << attribute;
  }
}

// RFC 7606 §5.3, §7.11, RFC 4760 §7.
TEST(UpdateErrors, MpAttributeThatCannotBeRead) {
  for (const char* mp : {
           "800e00", "800e02 0001",                                                             // no family
           "800e04 0001 80 0c",                                                                 // no next hop
           "800e08 0001 80 0c 00000000",                                                        // next hop cut
           "800e10 0001 80 0c 000000000000000000000000",                                        // no reserved octet
           "800e12 0001 80 0d 00000000000000000000000000 00",                                   // next hop length 13
           "800e1f 0001 80 0c 000000000000000000000000 00 70 000641 0000fde800000065 0a00",     // NLRI cut
           "800e1e 0001 80 0c 000000000000000000000000 00 57 000641 0000fde800000065 0a",       // NLRI below 88 bits
           "800e21 0001 80 0c 000000000000000000000000 00 79 000641 0000fde800000065 0a000000", // NLRI over 120 bits and cut
           "800f00", "800f02 0001", "800f11 0001 80 70 800000 0000fde800000065 0a00",
       }) {
    Octets bytes = body({mp, kOrigin, kEmptyAsPath, kLocalPref});
    auto view = decode_update(bytes, internal());
    ASSERT_FALSE(view) << mp;
    EXPECT_EQ(view.error(), (Notification{3, 9, hex(mp)})) << mp;
  }
}

// H4 F: AFI/SAFI disable leaves the other family of the message alone.
TEST(UpdateErrors, FamilyIsDisabledInsteadWhereAsked) {
  UpdateContext context = internal();
  context.disable_family_on_error = true;
  Octets bytes = body({"800e1f 0002 80 18 000000000000000000000000000000000000000000000000 00 57 00", kUnreach, kOrigin, kEmptyAsPath, kLocalPref});
  auto view = decode_update(bytes, context);
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->reach || view->withdrawn_reach);
  EXPECT_TRUE(view->disabled.contains(Family::vpnv6));
  EXPECT_FALSE(view->disabled.contains(Family::vpnv4));
  EXPECT_EQ(view->errors[0].action, UpdateErrorAction::disable_family);
  EXPECT_TRUE(view->unreach);
  EXPECT_FALSE(decode_update(bytes, internal()));
}

// Pitfall 1.14: a bad membership never costs the session; a bad length alone not even the others.
TEST(UpdateErrors, RouteTargetMembership) {
  Octets bytes = body({"800e1b 0001 84 04 0a000001 00 60 0000fde8 0002fde800000065 1f 00000000", kOrigin, kEmptyAsPath, kLocalPref});
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->reach);
  EXPECT_EQ(view->errors[0].action, UpdateErrorAction::withdraw);
  bytes = body({"800e0b 0001 84 04 0a000001 00 60 00", kOrigin, kEmptyAsPath, kLocalPref});
  view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->reach);
  EXPECT_TRUE(view->disabled.contains(Family::rtc));
  EXPECT_EQ(view->errors[0].action, UpdateErrorAction::disable_family);
}

TEST(UpdateErrors, PlainPrefixesThatCannotBeRead) {
  for (const auto& [nlri, withdrawn] : {std::pair("21 0a00000000", ""), std::pair("18 0a00", ""), std::pair("", "ff"), std::pair("", "21 0a00000000")}) {
    Octets bytes = body({kOrigin, kEmptyAsPath, kNextHop, kLocalPref}, nlri, withdrawn);
    EXPECT_EQ(decode_update(bytes, with_ipv4()).error(), (Notification{3, 10, {}})) << nlri << withdrawn;
    UpdateContext context = with_ipv4();
    context.disable_family_on_error = true;
    auto view = decode_update(bytes, context);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->disabled.contains(Family::ipv4_unicast));
    EXPECT_TRUE(view->ipv4_nlri.empty() && view->ipv4_withdrawn.empty());
  }
}

TEST(UpdateErrors, TooManyAttributes) {
  Octets many;
  for (unsigned type = 130; type < 130 + 64; ++type) many = many + Octets{0xc0, static_cast<std::uint8_t>(type), 0};
  Octets bytes = body(hex(kReach) + hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref) + many);
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->withdrawn_reach);
  EXPECT_EQ(view->attribute_count, UpdateView::kMaxAttributes);
}

TEST(UpdateErrors, CountGoesOnBeyondTheListOfErrors) {
  Octets many;
  for (unsigned i = 0; i < 20; ++i) many = many + hex("c0fe00");
  Octets bytes = body(hex(kReach) + hex(kOrigin) + hex(kEmptyAsPath) + hex(kLocalPref) + many);
  auto view = decode_update(bytes, internal());
  ASSERT_TRUE(view && view->reach);
  EXPECT_EQ(view->error_count, 19u);
}

TEST(AttributeTable, Names) {
  EXPECT_EQ(attribute_name(attr::origin), "ORIGIN");
  EXPECT_EQ(attribute_name(attr::mp_reach), "MP_REACH_NLRI");
  EXPECT_EQ(attribute_name(attr::attr_set), "ATTR_SET");
  EXPECT_EQ(attribute_name(254), "unknown");
}

}  // namespace
}  // namespace helio::wire
