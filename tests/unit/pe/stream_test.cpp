// What the generator says, read by the reflector's own decoder: two implementations must agree.
#include "bench/pe/lib/stream.hpp"

#include <gtest/gtest.h>

#include <map>

#include "rr/wire/update.hpp"
#include "tests/unit/pe/reflect.hpp"

namespace helio::pe {
namespace {

wire::UpdateContext context() {
  wire::UpdateContext c;
  c.families.insert(wire::Family::vpnv4);
  c.families.insert(wire::Family::vpnv6);
  c.families.insert(wire::Family::rtc);
  return c;
}

using Key = std::tuple<std::uint64_t, bool, std::string>;  // RD, IPv6, prefix bytes and length

// All NLRIs of a stream with their label; checks that no message is too long or has an error.
std::map<Key, std::uint32_t> decode(const ByteVector& stream, bool withdrawals, std::size_t& messages) {
  std::map<Key, std::uint32_t> routes;
  messages = 0;
  for (const Body& body : split(stream)) {
    ++messages;
    EXPECT_LE(body.size() + 19, 4096u);
    auto update = wire::decode_update(body, context());
    EXPECT_TRUE(update.has_value());
    if (!update) continue;
    EXPECT_EQ(update->error_count, 0u);
    EXPECT_EQ(update->reach.has_value(), !withdrawals);
    EXPECT_EQ(update->unreach.has_value(), withdrawals);
    bool v6 = (withdrawals ? update->unreach->family : update->reach->family) == wire::Family::vpnv6;
    wire::VpnNlriReader reader(withdrawals ? update->unreach->nlri : update->reach->nlri, v6, withdrawals,
                               false);
    wire::VpnNlri nlri;
    while (reader.next(nlri) == wire::NlriStatus::ok) {
      std::string prefix(reinterpret_cast<const char*>(nlri.prefix), (nlri.length + 7u) / 8);
      prefix.push_back(static_cast<char>(nlri.length));
      bool is_new = routes.emplace(Key{nlri.rd.value, v6, prefix}, load_be24(nlri.labels)).second;
      EXPECT_TRUE(is_new) << "announced twice";
    }
  }
  return routes;
}

TEST(Stream, RoutesOfEveryKindDecodeToThePlan) {
  for (PrefixKind kind :
       {PrefixKind::consecutive, PrefixKind::random, PrefixKind::enterprise, PrefixKind::unique}) {
    PlanOptions o;
    o.pes = 4;
    o.vrfs = 6;
    o.vrfs_per_pe = 3;
    o.routes_per_vrf = 700;
    o.ipv6_share = 0.25;
    o.attrs_per_vrf = 3;
    o.rts_per_route = 2;
    o.label_mode = LabelMode::per_prefix;
    o.prefix_kind = kind;
    Plan plan(o);
    std::size_t messages;
    auto routes = decode(build_routes(plan, 2, {}), false, messages);
    EXPECT_EQ(routes.size(), 3u * 700);
    std::uint32_t cycle;
    std::uint32_t vrf = plan.vrf_at(2, 1, cycle);
    Prefix4 p = plan.prefixes().at(plan.prefix_offset(vrf, cycle) + 5);
    std::uint8_t address[4];
    store_be32(address, p.address);
    std::string key(reinterpret_cast<const char*>(address), (p.length + 7u) / 8);
    key.push_back(static_cast<char>(p.length));
    auto at = routes.find({plan.rd(vrf, cycle), false, key});
    ASSERT_NE(at, routes.end());
    EXPECT_EQ(at->second, plan.label(vrf, 2, 5) << 4 | 1);
    // What is withdrawn is what was announced; wire 2.4: the label field is 0x800000.
    ByteVector withdrawals;
    for (std::uint32_t k = 0; k < 3; ++k) append_withdrawals(withdrawals, plan, 2, {k, 0, 700}, 0);
    auto gone = decode(withdrawals, true, messages);
    ASSERT_EQ(gone.size(), routes.size());
    for (const auto& [k, label] : gone) {
      EXPECT_TRUE(routes.contains(k));
      EXPECT_EQ(label, 0x800000u);
    }
  }
}

TEST(Stream, PacksFullMessagesOrAsAsked) {
  PlanOptions o;
  o.pes = 2;
  o.vrfs_per_pe = 1;
  o.routes_per_vrf = 1000;
  Plan plan(o);
  std::size_t messages;
  decode(build_routes(plan, 0, {}), false, messages);
  EXPECT_EQ(messages, 4u);  // 267 NLRIs of 15 octets fit
  decode(build_routes(plan, 0, {10, 0}), false, messages);
  EXPECT_EQ(messages, 100u);
}

TEST(Stream, VrfsThatShareARouteTargetArePackedTogether) {
  PlanOptions o;
  o.pes = 2;
  o.vrfs_per_pe = 1003;
  o.vpns = 10;
  o.routes_per_vrf = 2;
  o.rtc = RtcMode::off;
  Plan plan(o);
  std::size_t messages;
  auto routes = decode(build_routes(plan, 1, {}), false, messages);
  EXPECT_EQ(routes.size(), 2006u);
  EXPECT_EQ(messages, 10u);
  Checker checker(plan);
  for (std::uint32_t pe : {0u, 1u}) {
    for (const Body& body : split(build_routes(plan, pe, {})))
      checker.on_update(1 - pe, reflected(body, plan.address(pe)));
  }
  EXPECT_TRUE(checker.holds_target(0) && checker.holds_target(1));
  EXPECT_TRUE(checker.counters().is_clean());
}

TEST(Stream, MembershipsDecode) {  // RFC 4684 §4
  PlanOptions o;
  o.vrfs_per_pe = 1000;
  Plan plan(o);
  ByteVector stream;
  append_memberships(stream, plan, 3, plan.import_rts(3), true);
  std::size_t count = 0;
  for (const Body& body : split(stream)) {
    auto update = wire::decode_update(body, context());
    ASSERT_TRUE(update && update->reach && update->error_count == 0);
    wire::RtcNlriReader reader(update->reach->nlri, false);
    wire::RtMembership membership;
    std::uint32_t path_id;
    while (reader.next(membership, path_id) == wire::RtcNlriReader::Status::ok) {
      EXPECT_EQ(membership.length, 96);
      EXPECT_EQ(membership.origin_as, 65000u);
      ++count;
    }
  }
  EXPECT_EQ(count, 1000u);
  stream.clear();
  append_default_membership(stream, plan, 3);
  const Body body = split(stream).at(0);
  auto update = wire::decode_update(body, context());
  ASSERT_TRUE(update && update->reach && update->error_count == 0);
  wire::RtcNlriReader reader(update->reach->nlri, false);
  wire::RtMembership membership{.length = 1};
  std::uint32_t path_id;
  EXPECT_EQ(reader.next(membership, path_id), wire::RtcNlriReader::Status::ok);
  EXPECT_TRUE(membership.is_default());
}

TEST(Stream, EndOfRibDecodes) {  // RFC 4724 §2
  ByteVector stream;
  append_end_of_rib(stream, 1, 128);
  const Body body = split(stream).at(0);
  auto update = wire::decode_update(body, context());
  ASSERT_TRUE(update.has_value());
  EXPECT_EQ(update->end_of_rib, wire::Family::vpnv4);
}

}  // namespace
}  // namespace helio::pe
