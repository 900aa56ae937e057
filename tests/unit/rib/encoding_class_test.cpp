// What an attribute set looks like to eBGP peers and to neighbours with two-octet AS numbers.
#include "rib/encoding_class.hpp"

#include <gmock/gmock.h>

#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

using Octets = std::vector<std::uint8_t>;

struct Attribute {
  std::uint8_t flags, type;
  Octets value;
  bool operator==(const Attribute&) const = default;
};
Octets encode(const std::vector<Attribute>& attributes) {
  Octets out;
  for (const Attribute& a : attributes) wire::encode_attribute(out, a.flags, a.type, a.value);
  return out;
}
std::vector<Attribute> parse(Bytes bytes) {
  std::vector<Attribute> out;
  while (!bytes.empty()) {
    bool extended = (bytes[0] & 0x10) != 0;
    std::size_t length = extended ? load_be16(bytes.data() + 2) : bytes[2], header = extended ? 4 : 3;
    EXPECT_EQ(extended, length > 255);
    out.push_back({static_cast<std::uint8_t>(bytes[0] & 0xe0), bytes[1], Octets(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.begin() + static_cast<std::ptrdiff_t>(header + length))});
    bytes = bytes.subspan(header + length);
  }
  return out;
}
const Attribute* find(const std::vector<Attribute>& list, std::uint8_t type) {
  for (const Attribute& a : list)
    if (a.type == type) return &a;
  return nullptr;
}

constexpr std::uint8_t kWellKnown = 0x40, kOptional = 0x80, kOptionalTransitive = 0xc0;
const Octets kTargetAndSite{0x00, 0x02, 0xfd, 0xe8, 0, 0, 0, 1, 0x40, 0x04, 0xfd, 0xe8, 0, 0, 0, 9};

std::vector<Attribute> ordinary() {
  return {{kWellKnown, 1, {0}}, {kWellKnown, 2, {2, 1, 0, 0, 0xfd, 0xe9}}, {kOptional, 4, {0, 0, 0, 9}}, {kWellKnown, 5, {0, 0, 0, 100}},
          {kOptionalTransitive, 8, {0xfd, 0xe8, 0, 1}}, {kOptional, 9, {1, 1, 1, 1}}, {kOptional, 10, {2, 2, 2, 2}}, {kOptionalTransitive, 16, kTargetAndSite}};
}
std::vector<Attribute> outbound(const EncodingClass& encoding, const std::vector<Attribute>& in) {
  Octets scratch, canonical = encode(in);
  return parse(outbound_attributes(encoding, canonical, scratch));
}

TEST(EncodingClass, PlainIsTheCanonicalBytesThemselves) {
  Octets canonical = encode(ordinary()), scratch;
  Bytes out = outbound_attributes(EncodingClass{}, canonical, scratch);
  EXPECT_EQ(out.data(), canonical.data());
  EXPECT_EQ(out.size(), canonical.size());
}

const EncodingClass kExternal{.is_external = true, .local_as = 65000};

// RFC 4271 §5.1.2 b): our AS in front.
TEST(EncodingClass, ExternalPrepends) {
  EXPECT_EQ(find(outbound(kExternal, ordinary()), 2)->value, (Octets{2, 2, 0, 0, 0xfd, 0xe8, 0, 0, 0xfd, 0xe9}));
  std::vector<Attribute> local = ordinary();
  local[1].value.clear();
  EXPECT_EQ(find(outbound(kExternal, local), 2)->value, (Octets{2, 1, 0, 0, 0xfd, 0xe8}));
  local[1].value = {1, 1, 0, 0, 0xfd, 0xe9};  // an AS_SET: a new segment before it
  EXPECT_EQ(find(outbound(kExternal, local), 2)->value, (Octets{2, 1, 0, 0, 0xfd, 0xe8, 1, 1, 0, 0, 0xfd, 0xe9}));
}

// RFC 4271 §5.1.2: a segment of 255 ASes is full; the new AS gets one of its own.
TEST(EncodingClass, ExternalPrependsToAFullSegment) {
  std::vector<Attribute> in = ordinary();
  in[1].value = {2, 255};
  for (int i = 0; i < 255; ++i) in[1].value.insert(in[1].value.end(), {0, 0, 0xfd, 0xe9});
  Octets path = find(outbound(kExternal, in), 2)->value;
  ASSERT_EQ(path.size(), in[1].value.size() + 6);
  EXPECT_EQ(Octets(path.begin(), path.begin() + 6), (Octets{2, 1, 0, 0, 0xfd, 0xe8}));
}

// RFC 4271 §5.1.4 and §5.1.5, RFC 4456 §8: MED, LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST do not leave the AS.
TEST(EncodingClass, ExternalLeavesOutWhatIsInternal) {
  std::vector<std::uint8_t> types;
  for (const Attribute& a : outbound(kExternal, ordinary())) types.push_back(a.type);
  EXPECT_THAT(types, testing::ElementsAre(1, 2, 8, 16));
}

// RFC 8326 §4: the community for everybody, once; LOCAL_PREF 0 inside the AS and none outside.
TEST(EncodingClass, GracefulShutdown) {
  const Octets kMarked{0xfd, 0xe8, 0, 1, 0xff, 0xff, 0, 0};
  auto inside = outbound(EncodingClass{.graceful_shutdown = true}, ordinary());
  EXPECT_EQ(find(inside, 5)->value, (Octets{0, 0, 0, 0}));
  EXPECT_EQ(find(inside, 8)->value, kMarked);
  std::vector<Attribute> rest = ordinary();
  for (const Attribute& a : rest) {
    if (a.type == 5 || a.type == 8) continue;
    EXPECT_EQ(*find(inside, a.type), a) << int{a.type};
  }
  EncodingClass external = kExternal;
  external.graceful_shutdown = true;
  auto outside = outbound(external, ordinary());
  EXPECT_EQ(find(outside, 5), nullptr);
  EXPECT_EQ(find(outside, 8)->value, kMarked);
  rest[4].value = {0xff, 0xff, 0, 0};
  EXPECT_EQ(find(outbound(external, rest), 8)->value, rest[4].value);
  rest.erase(rest.begin() + 4);
  for (std::size_t size : {rest.size(), std::size_t{4}}) {  // with attributes behind its place, and without
    rest.resize(size);
    auto out = outbound(EncodingClass{.graceful_shutdown = true}, rest);
    EXPECT_EQ(find(out, 8)->value, (Octets{0xff, 0xff, 0, 0}));
    EXPECT_TRUE(std::ranges::is_sorted(out, {}, &Attribute::type));
  }
}

// It may not grow beyond the message that its routes fitted before.
TEST(EncodingClass, GracefulShutdownLeavesTheCommunityOutWhereItDoesNotFit) {
  for (std::size_t most : {std::size_t{4096}, std::size_t{65535}}) {
    for (std::size_t slack : {std::size_t{0}, std::size_t{30}, std::size_t{400}}) {
      std::vector<Attribute> in = ordinary();
      in.push_back({kOptionalTransitive, 99, {}});
      in.back().value.resize(most - 77 - slack - encode(in).size() - 1);
      Octets canonical = encode(in), scratch;
      Bytes out = outbound_attributes(EncodingClass{.graceful_shutdown = true}, canonical, scratch);
      auto marked = parse(out);
      EXPECT_EQ(find(marked, 8)->value.size(), slack == 400 ? 8u : 4u) << most << " " << slack;
      EXPECT_LE(out.size(), slack == 400 ? canonical.size() + 4 : canonical.size());
      EXPECT_EQ(find(marked, 5)->value, (Octets{0, 0, 0, 0}));
    }
  }
}

// RFC 7311 §3.1: AIGP is not sent on a session where AIGP_SESSION is off, as it is by default to external peers.
TEST(EncodingClass, ExternalLeavesOutAigp) {
  std::vector<Attribute> in = ordinary();
  in.push_back({kOptional, wire::attr::aigp, {1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 5}});
  EXPECT_EQ(find(outbound(kExternal, in), wire::attr::aigp), nullptr);
  EXPECT_NE(find(outbound(EncodingClass{.four_octet_as = false}, in), wire::attr::aigp), nullptr);
}

// RFC 4360 §6: non-transitive extended communities do not leave the AS; a list of nothing else goes altogether.
TEST(EncodingClass, ExternalDropsNonTransitiveExtendedCommunities) {
  EXPECT_EQ(find(outbound(kExternal, ordinary()), 16)->value, Octets(kTargetAndSite.begin(), kTargetAndSite.begin() + 8));
  std::vector<Attribute> in = ordinary();
  in.back().value.erase(in.back().value.begin(), in.back().value.begin() + 8);
  EXPECT_EQ(find(outbound(kExternal, in), 16), nullptr);
  Octets six(40);  // RFC 5701: two of 20 octets, the second non-transitive
  six[1] = 2, six[20] = 0x40, six[21] = 2;
  in.push_back({kOptionalTransitive, 25, six});
  EXPECT_EQ(find(outbound(kExternal, in), 25)->value, Octets(six.begin(), six.begin() + 20));
}

TEST(EncodingClass, ExternalKeepsTheRestAsItIs) {
  std::vector<Attribute> in = ordinary();
  in.push_back({0xe0, 99, Octets(300, 5)});  // unknown, Partial set, long
  EXPECT_EQ(*find(outbound(kExternal, in), 99), in.back());
  EXPECT_EQ(*find(outbound(kExternal, in), 8), in[4]);
}

const EncodingClass kNarrow{.four_octet_as = false};

// RFC 6793 §4.2.2: AS_TRANS in AS_PATH and the true path in AS4_PATH, at its place by type.
TEST(EncodingClass, TwoOctetAsPath) {
  std::vector<Attribute> in = ordinary();
  EXPECT_EQ(find(outbound(kNarrow, in), 2)->value, (Octets{2, 1, 0xfd, 0xe9}));
  EXPECT_EQ(find(outbound(kNarrow, in), 17), nullptr);
  in[1].value = {2, 2, 0xfa, 0x56, 0xea, 0x01, 0, 0, 0xfd, 0xe9};
  in.push_back({kOptionalTransitive, 32, Octets(12, 1)});
  std::vector<Attribute> out = outbound(kNarrow, in);
  EXPECT_EQ(find(out, 2)->value, (Octets{2, 2, 0x5b, 0xa0, 0xfd, 0xe9}));
  EXPECT_EQ(*find(out, 17), (Attribute{kOptionalTransitive, 17, in[1].value}));
  EXPECT_TRUE(std::ranges::is_sorted(out, {}, &Attribute::type));
  EXPECT_EQ(out.size(), in.size() + 1);  // everything internal stays
}

// RFC 6793 §4.2.2: the same for AGGREGATOR; both four-octet companions in one set, in order.
TEST(EncodingClass, TwoOctetAggregator) {
  std::vector<Attribute> in = ordinary();
  in.insert(in.begin() + 4, {kOptionalTransitive, 7, {0, 0, 0xfd, 0xe9, 10, 0, 0, 1}});
  EXPECT_EQ(find(outbound(kNarrow, in), 7)->value, (Octets{0xfd, 0xe9, 10, 0, 0, 1}));
  EXPECT_EQ(find(outbound(kNarrow, in), 18), nullptr);
  in[4].value = {0xfa, 0x56, 0xea, 0x01, 10, 0, 0, 1};
  in[1].value = {2, 1, 0xfa, 0x56, 0xea, 0x01};
  std::vector<Attribute> out = outbound(kNarrow, in);
  EXPECT_EQ(find(out, 7)->value, (Octets{0x5b, 0xa0, 10, 0, 0, 1}));
  EXPECT_EQ(find(out, 18)->value, in[4].value);
  EXPECT_TRUE(std::ranges::is_sorted(out, {}, &Attribute::type));
}

TEST(EncodingClass, ExternalWithTwoOctets) {
  std::vector<Attribute> out = outbound({.is_external = true, .four_octet_as = false, .local_as = 4200000000}, ordinary());
  EXPECT_EQ(find(out, 2)->value, (Octets{2, 2, 0x5b, 0xa0, 0xfd, 0xe9}));
  EXPECT_EQ(find(out, 17)->value, (Octets{2, 2, 0xfa, 0x56, 0xea, 0x00, 0, 0, 0xfd, 0xe9}));
}

// RFC 4364 §4.3.2: the next hop of a VPN route has a zero RD in front; RFC 4659 §3.2.1.2 for VPNv6.
TEST(EncodingClass, NextHop) {
  MemoryAccount account;
  ProvenanceStore provenances(account);
  AttributeStore store(account, provenances);
  AttributeId id = store.intern(PeerId{0}, 0, Canonical({}).view());
  Octets scratch;
  Bytes kept = outbound_next_hop(kExternal, wire::Family::vpnv4, store[id].next_hop(), scratch);
  EXPECT_TRUE(std::ranges::equal(kept, store[id].next_hop()));
  EncodingClass self = kExternal;
  self.next_hop_self = wire::IpAddress::v4(0xc0000201);
  EXPECT_TRUE(std::ranges::equal(outbound_next_hop(self, wire::Family::vpnv4, store[id].next_hop(), scratch), Octets{0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 2, 1}));
  Bytes six = outbound_next_hop(self, wire::Family::vpnv6, store[id].next_hop(), scratch);
  ASSERT_EQ(six.size(), 24u);
  EXPECT_TRUE(std::ranges::equal(six.subspan(18), Octets{0xff, 0xff, 0xc0, 0, 2, 1}));
  store.drop_refs(id, 1);
}

}  // namespace
}  // namespace helio::rib::test
