// The synthetic PE's own codec held against rr/wire's, both ways: what one writes the other reads as the same; what is
// malformed is refused by both or by neither, and never read beyond its end (sanitizers).
#include <gtest/gtest.h>

#include <random>

#include "bench/synthetic/messages.hpp"
#include "bench/synthetic/updates.hpp"
#include "bench/synthetic/vrf.hpp"
#include "rr/wire/as_path.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::synthetic {
namespace {

Bytes body_of(const ByteVector& message) { return Bytes(message).subspan(kHeader); }

Prefix random_prefix(std::mt19937& random, bool is_vpn) {
  Prefix p;
  p.is_v6 = random() % 2 != 0;
  p.length = static_cast<std::uint8_t>(random() % (p.is_v6 ? 129 : 33));
  for (unsigned bit = 0; bit < p.length; ++bit) p.address[bit / 8] |= static_cast<std::uint8_t>((random() & 1) << (7 - bit % 8));
  if (is_vpn) p.rd.value = 0xfde8'0000'0000ull | random() % 1000;
  return p;
}
Path random_path(std::mt19937& random, const Prefix& prefix, bool is_vpn) {
  Path path;
  path.next_hop = IpAddress::v4(0x0aff0000 + random() % 1000);
  if (!is_vpn && prefix.is_v6) path.next_hop = *wire::parse_ip("2001:db8::7");
  if (is_vpn)
    for (unsigned i = 0, n = 1 + random() % 2; i < n; ++i) path.labels.push_back(random() % (1 << 20));  // three would not fit a /128
  for (unsigned i = 0, n = random() % 5; i < n; ++i) path.targets.push_back(0x0002'fde8'0000'0000ull + random() % 100);
  for (unsigned i = 0, n = random() % 4; i < n; ++i) path.communities.push_back(random());
  for (unsigned i = 0, n = random() % 6; i < n; ++i) path.as_path.push_back(1 + random() % 100000);
  path.origin = random() % 3;
  path.med = random() % 2 != 0 ? 0 : random();
  path.local_pref = random() % 1000;
  return path;
}

TEST(Synthetic, RoutesAreWhatTheReflectorReads) {  // RFC 4271 §4.3, RFC 4364 §4.3.4, RFC 4659 §3.2.1, RFC 8277 §2
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    bool is_vpn = random() % 4 != 0, is_external = random() % 3 == 0;
    Prefix prefix = random_prefix(random, is_vpn);
    Path path = random_path(random, prefix, is_vpn);
    if (is_external) path.local_pref = 100;
    ByteVector message;
    append_route(message, prefix, path, is_vpn, is_external);
    ASSERT_EQ(message_size(message.data(), message.size()), message.size());

    auto read = read_update(body_of(message), {});
    ASSERT_TRUE(read);
    ASSERT_EQ(read->announced.size(), 1u);
    EXPECT_EQ(read->announced[0].first.prefix, prefix);
    EXPECT_EQ(read->announced[0].second, path);

    wire::UpdateContext context;
    context.four_octet_as = true;
    for (wire::Family f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::ipv4_unicast, wire::Family::ipv6_unicast}) context.families.insert(f);
    context.is_external = is_external;
    auto view = wire::decode_update(body_of(message), context);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->error_count, 0u) << i;
    wire::Family family = family_of(prefix, is_vpn);
    if (family == wire::Family::ipv4_unicast) {
      EXPECT_EQ(view->ipv4_nlri.size(), 1u + (prefix.length + 7u) / 8);
    } else {
      ASSERT_TRUE(view->reach);
      EXPECT_EQ(view->reach->family, family);
    }
    if (is_vpn) {
      wire::VpnNlriReader reader(view->reach->nlri, prefix.is_v6, false, false);
      wire::VpnNlri entry;
      ASSERT_EQ(reader.next(entry), wire::NlriStatus::ok);
      EXPECT_EQ(entry.rd, prefix.rd);
      EXPECT_EQ(entry.length, prefix.length);
      EXPECT_EQ(entry.label_count, path.labels.size());
    }
    std::vector<std::uint8_t> as_path;
    wire::normalise_as_path(as_path, *view, true);
    EXPECT_EQ(wire::inspect_as_path(as_path, true).length_for_decision, path.as_path.size());

    ByteVector withdrawal;
    append_withdrawal(withdrawal, prefix, is_vpn);
    auto gone = read_update(body_of(withdrawal), {});
    ASSERT_TRUE(gone);
    ASSERT_EQ(gone->withdrawn.size(), 1u);
    EXPECT_EQ(gone->withdrawn[0].prefix, prefix);
    EXPECT_TRUE(wire::decode_update(body_of(withdrawal), context));
  }
}

TEST(Synthetic, ReadsWhatTheReflectorWrites) {  // with path ids (RFC 7911 §3) and memberships (RFC 4684 §4)
  namespace attr = wire::attr;
  std::vector<std::uint8_t> attributes, next_hop, nlri, out;
  std::uint8_t igp = 0;
  wire::encode_attribute(attributes, wire::attr_flag::transitive, attr::origin, Bytes(&igp, 1));
  wire::encode_attribute(attributes, wire::attr_flag::transitive, attr::as_path, {});
  wire::encode_attribute_u32(attributes, wire::attr_flag::optional, attr::originator_id, 0x0aff0001);
  wire::encode_next_hop(next_hop, wire::Family::vpnv6, IpAddress::v4(0x0aff0001));
  Prefix prefix = *wire::parse_prefix("2001:db8:1::/48");
  prefix.rd.value = 0xfde8'0000'0007ull;
  const std::uint32_t fields[] = {wire::label_field(24001, true)};
  wire::encode_vpn_nlri(nlri, prefix, fields, 77);
  ASSERT_TRUE(wire::encode_announcements(out, wire::Family::vpnv6, next_hop, attributes, nlri, true));
  auto read = read_update(body_of(out), wire::FamilySet::of(wire::Family::vpnv6));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->announced.size(), 1u);
  EXPECT_EQ(read->announced[0].first.path_id, 77u);
  EXPECT_EQ(read->announced[0].first.prefix, prefix);
  EXPECT_EQ(read->announced[0].second.labels, std::vector<std::uint32_t>{24001});
  EXPECT_EQ(read->announced[0].second.next_hop, IpAddress::v4(0x0aff0001));
  EXPECT_EQ(read->announced[0].second.originator, 0x0aff0001u);

  for (const wire::RtMembership& m : {wire::RtMembership{}, wire::RtMembership{96, 65000, 0x0002'fde8'0000'0001ull}, wire::RtMembership{64, 65000, 0x0002'fde8'0000'0000ull}}) {
    nlri.clear(), out.clear(), next_hop.clear();
    wire::encode_rtc_nlri(nlri, m);
    wire::encode_next_hop(next_hop, wire::Family::rtc, IpAddress::v4(0x0aff0001));
    ASSERT_TRUE(wire::encode_announcements(out, wire::Family::rtc, next_hop, attributes, nlri));
    EXPECT_EQ(read_update(body_of(out), {})->joined, std::vector<wire::RtMembership>{m});
    out.clear();
    wire::encode_withdrawals(out, wire::Family::rtc, nlri);
    EXPECT_EQ(read_update(body_of(out), {})->left, std::vector<wire::RtMembership>{m});
  }
}

TEST(Synthetic, MembershipsBothWays) {
  const Speaker speaker{65000, 0x0aff0001};
  std::vector<std::uint64_t> targets;
  for (std::uint64_t i = 0; i < 700; ++i) targets.push_back(0x0002'fde8'0000'0000ull + i);  // more than one message holds
  for (bool announce : {true, false}) {
    ByteVector out;
    append_memberships(out, speaker, targets, announce);
    append_default_membership(out, speaker, announce);
    std::vector<wire::RtMembership> said;
    std::size_t messages = 0;
    for (std::size_t at = 0; at < out.size(); ++messages) {
      std::size_t size = *message_size(out.data() + at, out.size() - at);
      ASSERT_NE(size, 0u);
      auto read = read_update(Bytes(out).subspan(at + kHeader, size - kHeader), {});
      ASSERT_TRUE(read);
      const auto& part = announce ? read->joined : read->left;
      said.insert(said.end(), part.begin(), part.end());
      at += size;
    }
    EXPECT_EQ(messages, 4u);
    ASSERT_EQ(said.size(), targets.size() + 1);
    EXPECT_EQ(said[5], (wire::RtMembership{96, 65000, targets[5]}));
    EXPECT_TRUE(said.back().is_default());
  }
}

TEST(Synthetic, MalformedIsRefusedNotRead) {
  std::mt19937 random(2);
  std::size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    bool is_vpn = random() % 2 != 0;
    Prefix prefix = random_prefix(random, is_vpn);
    ByteVector message;
    append_route(message, prefix, random_path(random, prefix, is_vpn), is_vpn, false);
    for (unsigned n = 0; n <= random() % 3; ++n) message[kHeader + random() % (message.size() - kHeader)] = static_cast<std::uint8_t>(random());
    ByteVector body(message.begin() + kHeader, message.end() - static_cast<std::ptrdiff_t>(random() % 3));
    refused += !read_update(body, random() % 2 != 0 ? wire::FamilySet::of(wire::Family::vpnv4) : wire::FamilySet{});
  }
  EXPECT_GT(refused, 5000u);
  EXPECT_LT(refused, 20000u);
}

TEST(Synthetic, MessageSizes) {  // RFC 4271 §4.1
  ByteVector m;
  append_keepalive(m);
  EXPECT_EQ(message_size(m.data(), m.size()), 19u);
  EXPECT_EQ(message_size(m.data(), 18), 0u);
  store_be16(m.data() + 16, 4097);
  EXPECT_EQ(message_size(m.data(), m.size()), std::nullopt);
  store_be16(m.data() + 16, 18);
  EXPECT_EQ(message_size(m.data(), m.size()), std::nullopt);
  store_be16(m.data() + 16, 19);
  m[3] = 0;
  EXPECT_EQ(message_size(m.data(), m.size()), std::nullopt);
}

TEST(Synthetic, ImportsOfAllVrfsOnce) {  // RFC 4684 §3: what a PE asks for
  std::vector<Vrf> vrfs(3);
  vrfs[0].import_targets = {3, 1};
  vrfs[1].import_targets = {1, 2};
  EXPECT_EQ(imported_targets(vrfs), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_TRUE(have_common(vrfs[0].import_targets, vrfs[1].import_targets));
  EXPECT_FALSE(have_common(vrfs[0].import_targets, vrfs[2].import_targets));
  LabelSpace<int> labels(100);
  EXPECT_EQ(labels.of(7), 100u);
  EXPECT_EQ(labels.of(8), 101u);
  EXPECT_EQ(labels.of(7), 100u);
}

}  // namespace
}  // namespace helio::synthetic
