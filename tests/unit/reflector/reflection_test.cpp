// The canonical form: what a received attribute set looks like on the way out to iBGP peers (RFC 4456 §8, RFC 4271 §5
// and §9), and what is computed from it.
#include "rr/reflector/reflection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "rib/encoding_class.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::reflector {
namespace {

using session::PeerRole;
using Octets = std::vector<std::uint8_t>;

struct Attribute {
  std::uint8_t flags, type;
  Octets value;
};
std::ostream& operator<<(std::ostream& out, const Attribute& a) { return out << "attribute " << int{a.type}; }
bool operator==(const Attribute& x, const Attribute& y) { return x.flags == y.flags && x.type == y.type && x.value == y.value; }

constexpr std::uint8_t kWellKnown = 0x40, kOptional = 0x80, kOptionalTransitive = 0xc0;
constexpr std::uint32_t kOwnId = 0x0a0000fe, kPeerId = 0x0a000001, kCluster = 0x01010101;

class ReflectionTest : public testing::Test {
 protected:
  // Ordinary attributes of an internal session; tests replace or add to them.
  std::vector<Attribute> in{{kWellKnown, 1, {0}}, {kWellKnown, 2, {2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea}}, {kWellKnown, 5, {0, 0, 0, 200}}};
  Source source{PeerRole::client, kPeerId, true, kOwnId, kCluster, 65000};
  Octets next_hop{0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};

  void add(std::uint8_t flags, std::uint8_t type, Octets value) { in.push_back({flags, type, std::move(value)}); }

  Exclusion build() {
    Octets attributes, nlri;
    wire::encode_vpn_nlri(nlri, wire::VpnPrefix{{0x0000fde800000065}, {10}, 24, false}, std::vector<std::uint32_t>{0x641});
    Octets reach{0, 1, 128, static_cast<std::uint8_t>(next_hop.size())};
    reach.insert(reach.end(), next_hop.begin(), next_hop.end());
    reach.push_back(0);
    reach.insert(reach.end(), nlri.begin(), nlri.end());
    wire::encode_attribute(attributes, kOptional, 14, reach);
    for (const Attribute& a : in) wire::encode_attribute(attributes, a.flags, a.type, a.value);
    body_ = {0, 0, static_cast<std::uint8_t>(attributes.size() >> 8), static_cast<std::uint8_t>(attributes.size())};
    body_.insert(body_.end(), attributes.begin(), attributes.end());
    wire::UpdateContext context;
    context.four_octet_as = source.four_octet_as;
    context.is_external = source.role == PeerRole::external;
    context.families.insert(wire::Family::vpnv4);
    context.ipv6_next_hop.insert(wire::Family::vpnv4);
    auto view = wire::decode_update(body_, context);
    EXPECT_TRUE(view && view->reach);
    if (!view || !view->reach) return Exclusion::count_;
    Exclusion exclusion = canonicaliser_.build(*view, view->reach->next_hop, source, out);
    canonical.clear();
    if (exclusion != Exclusion::none) return exclusion;
    for (Bytes rest = out.bytes; !rest.empty();) {
      bool extended = (rest[0] & 0x10) != 0;
      std::size_t header = extended ? 4 : 3, length = extended ? load_be16(rest.data() + 2) : rest[2];
      Bytes value = rest.subspan(header, length);
      canonical.push_back({static_cast<std::uint8_t>(rest[0] & 0xe0), rest[1], Octets(value.begin(), value.end())});
      rest = rest.subspan(header + length);
    }
    return exclusion;
  }
  const Attribute* find(std::uint8_t type) const {
    for (const Attribute& a : canonical)
      if (a.type == type) return &a;
    return nullptr;
  }
  std::vector<int> types() const {
    std::vector<int> t;
    for (const Attribute& a : canonical) t.push_back(a.type);
    return t;
  }

  rib::CanonicalAttributes out;
  std::vector<Attribute> canonical;

  Canonicaliser canonicaliser_;

 private:
  Octets body_;
};

// RFC 4456 §8: ORIGINATOR_ID is the router-id of the originator; CLUSTER_LIST gets our CLUSTER_ID.
TEST_F(ReflectionTest, MakesOriginatorIdAndClusterList) {
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_THAT(types(), testing::ElementsAre(1, 2, 5, 9, 10));
  EXPECT_EQ(*find(9), (Attribute{kOptional, 9, {10, 0, 0, 1}}));
  EXPECT_EQ(*find(10), (Attribute{kOptional, 10, {1, 1, 1, 1}}));
  EXPECT_EQ(out.key.originator_id, kPeerId);
  EXPECT_EQ(out.key.cluster_list_length, 0);  // as received: ours does not count (RFC 4456 §9)
}

// RFC 4456 §8: "an ORIGINATOR_ID attribute already present MUST NOT be overwritten"; CLUSTER_LIST is prepended to.
TEST_F(ReflectionTest, NeverOverwritesOriginatorId) {
  add(kOptional, 9, {9, 9, 9, 9});
  add(kOptional, 10, {2, 2, 2, 2, 3, 3, 3, 3});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(find(9)->value, (Octets{9, 9, 9, 9}));
  EXPECT_EQ(find(10)->value, (Octets{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}));
  EXPECT_EQ(out.key.originator_id, 0x09090909u);
  EXPECT_EQ(out.key.cluster_list_length, 2);
}

// RFC 4456 §8: also towards and from non-clients.
TEST_F(ReflectionTest, NonClientsAreTheSame) {
  ASSERT_EQ(build(), Exclusion::none);
  std::vector<Attribute> client = canonical;
  source.role = PeerRole::non_client;
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(canonical, client);
}

// RFC 4456 §8: our own router-id as originator, our cluster in the list: a loop.
TEST_F(ReflectionTest, LoopsAreExcluded) {
  add(kOptional, 9, {10, 0, 0, 0xfe});
  EXPECT_EQ(build(), Exclusion::originator_loop);
  in.pop_back();
  add(kOptional, 10, {2, 2, 2, 2, 1, 1, 1, 1});
  EXPECT_EQ(build(), Exclusion::cluster_loop);
  in.pop_back();
  add(kOptional, 10, {2, 1, 1, 1, 1, 1, 1, 2});  // our id across two entries is not our id
  EXPECT_EQ(build(), Exclusion::none);
}

// RFC 4271 §9.1.2: our AS in the path of an external route; an internal one may carry it.
TEST_F(ReflectionTest, AsLoop) {
  in[1].value = {2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xe8};
  EXPECT_EQ(build(), Exclusion::none);
  source.role = PeerRole::external;
  EXPECT_EQ(build(), Exclusion::as_loop);
  in[1].value = {2, 1, 0, 0, 0xfd, 0xe9, 1, 2, 0, 0, 0xfd, 0xe7, 0, 0, 0xfd, 0xe8};  // in a set
  EXPECT_EQ(build(), Exclusion::as_loop);
}

// RFC 4271 §5.1.5: LOCAL_PREF from an external peer is ignored and one is made; RFC 4456: not reflected, so no cluster.
TEST_F(ReflectionTest, FromExternal) {
  source.role = PeerRole::external;
  add(kOptional, 9, {9, 9, 9, 9});
  add(kOptional, 10, {1, 1, 1, 1});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_THAT(types(), testing::ElementsAre(1, 2, 5));
  EXPECT_EQ(find(5)->value, (Octets{0, 0, 0, 100}));
  EXPECT_EQ(out.key.local_pref, 100u);
  EXPECT_EQ(out.key.originator_id, kPeerId);
  EXPECT_EQ(out.key.cluster_list_length, 0);
  EXPECT_TRUE(out.key.is_external);
}

// RFC 8326 §4: a low LOCAL_PREF for routes with the community, where that is configured.
TEST_F(ReflectionTest, GracefulShutdownIsHeededWhereConfigured) {
  add(kOptionalTransitive, 8, {0xff, 0xff, 0, 0});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key.local_pref, 200u);
  source.heeds_graceful_shutdown = true;
  for (PeerRole role : {PeerRole::client, PeerRole::external}) {
    source.role = role;
    ASSERT_EQ(build(), Exclusion::none);
    EXPECT_EQ(out.key.local_pref, 0u);
    EXPECT_EQ(*find(5), (Attribute{kWellKnown, 5, {0, 0, 0, 0}}));
    EXPECT_EQ(find(8)->value, (Octets{0xff, 0xff, 0, 0}));
  }
  EXPECT_THAT(types(), testing::ElementsAre(1, 2, 5, 8));
  in.back().value = {0xff, 0xff, 0, 1};
  source.role = PeerRole::client;
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key.local_pref, 200u);
}

// RFC 7606 §5.1 lets attributes come in any order; ours is by type, so equal sets have equal bytes.
TEST_F(ReflectionTest, OrderIsByType) {
  add(kOptionalTransitive, 16, {0, 2, 0xfd, 0xe8, 0, 0, 0, 1});
  add(kOptionalTransitive, 8, {0xfd, 0xe8, 0, 1});
  add(kOptional, 4, {0, 0, 0, 5});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_THAT(types(), testing::ElementsAre(1, 2, 4, 5, 8, 9, 10, 16));
  std::vector<Attribute> first = canonical;
  std::ranges::reverse(in);
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(canonical, first);
}

// RFC 4271 §9: unrecognised: transitive is passed on with Partial set, non-transitive quietly ignored.
TEST_F(ReflectionTest, UnknownAttributes) {
  add(kOptionalTransitive, 200, {1, 2, 3});
  add(kOptional, 201, {1});
  add(kOptionalTransitive, 8, {0xfd, 0xe8, 0, 1});  // known: Partial stays as it is
  add(0xe0, 32, Octets(12, 1));
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(*find(200), (Attribute{0xe0, 200, {1, 2, 3}}));
  EXPECT_EQ(find(201), nullptr);
  EXPECT_EQ(find(8)->flags, kOptionalTransitive);
  EXPECT_EQ(find(32)->flags, 0xe0);
}

// RFC 4271 §4.3: Partial is for optional transitive attributes alone; a peer's mistake is not passed on.
TEST_F(ReflectionTest, PartialIsNotPassedOnWhereItMustNotBe) {
  in[0].flags |= 0x20;
  const std::uint8_t first = in[0].type;
  add(0xa0, 4, {0, 0, 0, 7});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(find(first)->flags, 0x40);
  EXPECT_EQ(find(4)->flags, 0x80);
}

// RFC 4271 §4.3: the low four flag bits are ours to leave zero, whatever they were on reception.
TEST_F(ReflectionTest, UnusedFlagBitsAreNotPassedOn) {
  in[0].flags |= 0x0f;
  add(kOptionalTransitive | 0x05, 8, {0xfd, 0xe8, 0, 1});
  add(kOptionalTransitive | 0x0f, 200, {1, 2, 3});
  ASSERT_EQ(build(), Exclusion::none);
  std::size_t attributes = 0;
  for (Bytes rest = out.bytes; !rest.empty(); ++attributes) {
    EXPECT_EQ(rest[0] & 0x0f, 0) << "attribute " << int{rest[1]};
    rest = rest.subspan(3 + rest[2]);
  }
  EXPECT_EQ(attributes, canonical.size());
  EXPECT_EQ(find(200)->flags, 0xe0);
}

// RFC 6793 §4.2.3: from a two-octet neighbour the two paths become one.
TEST_F(ReflectionTest, TwoOctetNeighbour) {
  source.four_octet_as = false;
  in[1].value = {2, 2, 0xfd, 0xe9, 0x5b, 0xa0};
  add(kOptionalTransitive, 17, {2, 1, 0xfa, 0x56, 0xea, 0x01});
  add(kOptionalTransitive, 7, {0x5b, 0xa0, 10, 0, 0, 1});
  add(kOptionalTransitive, 18, {0xfa, 0x56, 0xea, 0x01, 10, 0, 0, 1});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(find(2)->value, (Octets{2, 2, 0, 0, 0xfd, 0xe9, 0xfa, 0x56, 0xea, 0x01}));
  EXPECT_EQ(find(7)->value, (Octets{0xfa, 0x56, 0xea, 0x01, 10, 0, 0, 1}));
  EXPECT_EQ(find(17), nullptr);
  EXPECT_EQ(find(18), nullptr);
}

TEST_F(ReflectionTest, DecisionKey) {
  in[0].value = {2};
  in[1].value = {2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 1, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};  // the set counts 1
  add(kOptional, 4, {0, 0, 1, 0});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key, (rib::DecisionKey{.local_pref = 200, .med = 256, .neighbor_as = 65001, .originator_id = kPeerId, .as_path_length = 3, .origin = 2}));
}

// Targets are sorted and unique, of every type that is a route target; other extended communities are none.
TEST_F(ReflectionTest, RouteTargets) {
  add(kOptionalTransitive, 16, {2, 2, 0, 0, 0xfd, 0xe8, 0, 1,  0, 2, 0xfd, 0xe8, 0, 0, 0, 1,  0, 2, 0xfd, 0xe8, 0, 0, 0, 1,
                                0, 3, 0xfd, 0xe8, 0, 0, 0, 9,  1, 2, 10, 0, 0, 1, 0, 7});
  Octets six(40, 0);
  six[1] = 2, six[19] = 5, six[20] = 0x40, six[21] = 2;  // the second is non-transitive
  add(kOptionalTransitive, 25, six);
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_THAT(out.targets, testing::ElementsAre(0x0002fde800000001, 0x01020a0000010007, 0x02020000fde80001));
  EXPECT_EQ(find(16)->value.size(), 40u);  // what goes out is what came in (pitfall: communities are not rewritten)
  ASSERT_EQ(out.targets6.size(), 1u);
  EXPECT_EQ(out.targets6[0][19], 5);
}

// RFC 1997; and what limits who can be sent the route at all.
TEST_F(ReflectionTest, ScopeOfCommunities) {
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.scope, 0);
  struct {
    std::uint32_t community;
    std::uint8_t scope;
  } const rows[] = {{wire::community::no_export, rib::scope::no_export},
                    {wire::community::no_export_subconfed, rib::scope::no_export},
                    {wire::community::no_advertise, rib::scope::no_advertise},
                    {wire::community::blackhole, 0}};
  for (const auto& row : rows) {
    Octets value{0xfd, 0xe8, 0, 1, 0, 0, 0, 0};
    store_be32(value.data() + 4, row.community);
    add(kOptionalTransitive, 8, value);
    ASSERT_EQ(build(), Exclusion::none);
    EXPECT_EQ(out.scope, row.scope) << std::hex << row.community;
    EXPECT_EQ(find(8)->value, value);
    in.pop_back();
  }
}

TEST_F(ReflectionTest, ScopeOfNextHopAndSize) {
  next_hop.assign(24, 0);
  next_hop[8] = 0x20;
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.scope, rib::scope::ipv6_next_hop);  // RFC 8950
  EXPECT_TRUE(std::ranges::equal(out.next_hop, next_hop));
  next_hop.assign(12, 0);
  next_hop[8] = 10;
  for (std::size_t octets = 3600; octets < 4200; octets += 4) {
    add(kOptionalTransitive, 8, Octets(octets, 1));
    ASSERT_EQ(build(), Exclusion::none);
    // Whoever gets it without the flag must be able to hold it, with the longest NLRI and our AS in front.
    if (out.scope == 0) {
      EXPECT_LE(23 + 9 + 12 + out.bytes.size() + 33 + 6, 4096u);
    }
    if (23 + 9 + 12 + out.bytes.size() + 33 > 4096) {
      EXPECT_EQ(out.scope, rib::scope::extended_size);
    }
    in.pop_back();
  }
}

// RFC 6793 §4.2.2: for a two-octet neighbour AS_PATH and AS4_PATH together are half as long again. A path that fits
// only in four octets must not make a message that the neighbour has to reset the session for (RFC 4271 §6.1).
TEST_F(ReflectionTest, ScopeOfSizeCountsAs4Path) {
  for (unsigned ases : {400u, 640u, 700u, 900u}) {
    Octets path;
    for (unsigned i = 0; i < ases; ++i) {
      if (i % 250 == 0) path.insert(path.end(), {2, static_cast<std::uint8_t>(std::min(250u, ases - i))});
      path.insert(path.end(), {0xfa, 0x56, 0xea, 0x01});
    }
    in[1].value = path;
    ASSERT_EQ(build(), Exclusion::none);
    Octets scratch;
    Bytes narrow = rib::outbound_attributes({.four_octet_as = false}, out.bytes, scratch);
    bool fits = 23 + 9 + 12 + narrow.size() + 33 <= 4096;
    bool fits_plain = 23 + 9 + 12 + out.bytes.size() + 33 <= 4096;
    EXPECT_EQ(out.scope, fits ? 0 : fits_plain ? rib::scope::two_octet_size : rib::scope::extended_size) << ases;
  }
}

// The same whatever the path and whoever gets it: with our AS in front, in AS4_PATH too when it has four octets; an aggregator; our
// next hop. What the scope lets through fits with the largest NLRI beside it.
TEST_F(ReflectionTest, WhatTheScopeLetsThroughFits) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    Asn own_as = round % 2 != 0 ? 65000 : 4200000001;
    canonicaliser_ = Canonicaliser({.own_as = own_as});
    Octets path;
    for (unsigned left = random() % (round % 3 == 0 ? 12 : 900); left != 0;) {
      unsigned n = std::min<unsigned>(left, 1 + random() % 255);
      path.insert(path.end(), {static_cast<std::uint8_t>(random() % 8 == 0 ? 1 : 2), static_cast<std::uint8_t>(n)});
      for (unsigned i = 0; i < n; ++i) {
        bool wide = random() % (1 + random() % 4) == 0;
        path.insert(path.end(), {static_cast<std::uint8_t>(wide ? 0xfa : 0), static_cast<std::uint8_t>(wide ? 0x56 : 0), 0xfc, static_cast<std::uint8_t>(random())});
      }
      left -= n;
    }
    in[1].value = path;
    if (round % 4 == 0) add(kOptionalTransitive, 7, {0xfa, 0x56, 0xea, 0x01, 10, 0, 0, 1});
    // Filled up to about where the limits are.
    std::size_t limit = round % 16 == 5 ? 65535 : 4096, used = 23 + 9 + 12 + 60 + path.size(), filler = limit > used + 300 ? limit - used - random() % 300 : 0;
    if (filler != 0) add(kOptionalTransitive, 8, Octets(filler / 4 * 4, 1));
    Exclusion exclusion = build();
    if (filler != 0) in.pop_back();
    if (round % 4 == 0) in.pop_back();
    if (exclusion != Exclusion::none) continue;
    for (bool external : {false, true}) {
      for (bool four : {false, true}) {
        Octets scratch;
        Bytes sent = rib::outbound_attributes({.is_external = external, .four_octet_as = four, .local_as = own_as}, out.bytes, scratch);
        std::size_t most = 23 + 9 + 24 + sent.size() + 53;
        std::uint8_t too_large = rib::scope::extended_size | (four ? 0 : rib::scope::two_octet_size);
        EXPECT_LE(most, (out.scope & too_large) == 0 ? 4096u : 65535u) << round << (external ? " external" : "") << (four ? "" : " two-octet");
      }
    }
  }
}

// RFC 8654: a set that fits no message once it is in canonical form (four-octet AS numbers are twice as long) cannot be
// passed on; its routes are not used.
TEST_F(ReflectionTest, BeyondTheLargestMessage) {
  for (unsigned ases : {8000u, 16000u, 16400u, 20000u, 30000u}) {
    source.four_octet_as = false;
    Octets path;
    for (unsigned i = 0; i < ases; ++i) {
      if (i % 250 == 0) path.insert(path.end(), {2, static_cast<std::uint8_t>(std::min(250u, ases - i))});
      path.insert(path.end(), {0xfd, 0xe9});
    }
    in[1].value = path;
    bool fits = ases <= 16000;
    EXPECT_EQ(build(), fits ? Exclusion::none : Exclusion::too_long) << ases;
    if (fits) {
      EXPECT_EQ(out.scope, rib::scope::extended_size);
    }
  }
  source.four_octet_as = true;
  in[1].value.clear();
  for (std::size_t octets = 65200; octets < 65440; octets += 4) {
    add(kOptionalTransitive, 8, Octets(octets, 1));
    if (build() == Exclusion::none) {
      EXPECT_LE(23 + 9 + 12 + out.bytes.size() + 33 + 6, 65535u);
    }
    in.pop_back();
  }
}

// RFC 4456 §6, RFC 4271 §9.2.
TEST(MayReflect, Roles) {
  using enum PeerRole;
  for (PeerRole from : {client, non_client, external})
    for (PeerRole to : {client, non_client, external}) EXPECT_EQ(may_reflect(from, to), !(from == non_client && to == non_client));
}

TEST(ExclusionName, AllHaveOne) {
  for (int i = 0; i < static_cast<int>(Exclusion::count_); ++i) EXPECT_FALSE(exclusion_name(static_cast<Exclusion>(i)).empty());
}

// RFC 4456 §8: the own id is that of the peer's cluster; every id of this reflector in a CLUSTER_LIST is a loop.
TEST_F(ReflectionTest, LoopsThroughOtherClustersOfOurs) {
  const std::uint32_t others[] = {0x02020202, 0x03030303};
  source.other_cluster_ids = others;
  add(kOptional, 10, {9, 9, 9, 9, 3, 3, 3, 3});
  EXPECT_EQ(build(), Exclusion::cluster_loop);
  source.other_cluster_ids = {};
  EXPECT_EQ(build(), Exclusion::none);
  EXPECT_EQ(find(10)->value, (Octets{1, 1, 1, 1, 9, 9, 9, 9, 3, 3, 3, 3}));
}

// RFC 4456 §6: routes of meshed clients are marked; it means nothing for others.
TEST_F(ReflectionTest, MeshedClients) {
  source.is_meshed = true;
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.scope, rib::scope::meshed);
  source.role = PeerRole::non_client;
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.scope, 0);
}

// custom-decision §3: cost communities by point of insertion, ascending ids, the lower one of two with an id; other points and
// transitive look-alikes are none.
TEST_F(ReflectionTest, CostCommunities) {
  add(kOptionalTransitive, 16, {0x43, 1, 128, 7, 0, 0, 0, 9, 0x43, 1, 128, 3, 0, 0, 1, 0, 0x43, 1, 128, 7, 0, 0, 0, 5, 0x43, 1, 129, 1, 0, 0, 0, 2,
                                0x43, 1, 131, 1, 0, 0, 0, 2, 0x03, 1, 128, 1, 0, 0, 0, 2});
  ASSERT_EQ(build(), Exclusion::none);
  ASSERT_TRUE(out.key.has_extras);
  using Cost = rib::DecisionExtras::Cost;
  EXPECT_EQ(out.extras->first_costs, (std::vector<Cost>{{3, 256}, {7, 5}}));
  EXPECT_EQ(out.extras->igp_costs, (std::vector<Cost>{{1, 2}}));
  canonicaliser_ = Canonicaliser({.cost_communities = false});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_FALSE(out.key.has_extras);
}

// RFC 7311 §3, §4.1: the metric counts only where it is turned on; the attribute is passed on in either case.
TEST_F(ReflectionTest, AigpWhenTurnedOn) {
  add(kOptional, 26, {1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 44});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_FALSE(out.key.has_extras);
  canonicaliser_ = Canonicaliser({.aigp = true});
  ASSERT_EQ(build(), Exclusion::none);
  ASSERT_TRUE(out.key.has_extras);
  EXPECT_EQ(out.extras->aigp, 300u);
  EXPECT_NE(find(26), nullptr);
}

// RFC 4271 §9.1.2.2 c: a missing MED counts as 0, unless told otherwise.
TEST_F(ReflectionTest, MissingMed) {
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key.med, 0u);
  canonicaliser_ = Canonicaliser({.missing_med_is_worst = true});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key.med, 0xffffffff);
  add(kOptional, 4, {0, 0, 0, 7});
  ASSERT_EQ(build(), Exclusion::none);
  EXPECT_EQ(out.key.med, 7u);
}

}  // namespace
}  // namespace helio::reflector
