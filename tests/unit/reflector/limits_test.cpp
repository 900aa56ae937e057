// Scale protection: prefix limits by action, quotas per RD and RT set, memberships, attribute size; in one shard and in
// several. RFC 4271 §6.7, RFC 4486 §4; pitfall 1.22.
#include "tests/unit/reflector/shards.hpp"

namespace helio::reflector::test {
namespace {

using session::PrefixLimit;
using wire::Family;
using Action = PrefixLimit::Action;

class Limits : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, Limits, testing::Values(1u, 3u));

std::shared_ptr<session::GroupSettings> limited(Family family, std::uint32_t max, Action action) {
  auto group = Shards::group();
  group->prefix_limits[wire::index(family)] = PrefixLimit{.max_prefixes = max, .action = action};
  return group;
}

TEST_P(Limits, DiscardNewStopsAtTheLimit) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, limited(Family::vpnv4, 100, Action::discard_new)));
  shards.up(Shards::pe(1, Shards::group()));
  shards.announce(0, "65000:1", 0, 80);
  EXPECT_EQ(shards.paths(0), 80u);
  shards.announce(0, "65000:2", 0, 70);
  EXPECT_EQ(shards.paths(0), 100u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_limit; }), 50u);
  // What is there may change, with other route targets too.
  shards.announce(0, "65000:1", 0, 80, "65000:7");
  EXPECT_EQ(shards.paths(0), 100u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_limit; }), 50u);
  // Room again: announced again, they fit.
  shards.withdraw(0, "65000:1", 0, 80);
  shards.announce(0, "65000:2", 0, 70);
  EXPECT_EQ(shards.paths(0), 70u);
  // Nobody else is concerned.
  shards.announce(1, "65000:1", 0, 200);
  EXPECT_EQ(shards.paths(1), 200u);
  EXPECT_TRUE(shards.closed.empty());
}

// RFC 4486 §4: Cease/1 with AFI, SAFI and the limit. Once.
TEST_P(Limits, IdleHoldClosesAboveTheLimit) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, limited(Family::vpnv4, 100, Action::idle_hold)));
  shards.announce(0, "65000:1", 0, 100);
  EXPECT_TRUE(shards.closed.empty());
  shards.announce(0, "65000:1", 100, 1);
  ASSERT_TRUE(shards.closed.contains(0));
  EXPECT_EQ(shards.closed.at(0).notification, (wire::Notification{6, 1, {0, 1, 128, 0, 0, 0, 100}}));
  EXPECT_EQ(shards.closed.at(0).reason, session::CloseReason::max_prefixes);
}

TEST_P(Limits, WarnOnlyWarns) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, limited(Family::vpnv4, 100, Action::warn)));
  shards.announce(0, "65000:1", 0, 250);
  EXPECT_EQ(shards.paths(0), 250u);
  EXPECT_TRUE(shards.closed.empty());
}

// The limit of one family is nothing to another one.
TEST_P(Limits, FamiliesCountApart) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, limited(Family::vpnv6, 1, Action::idle_hold)));
  shards.announce(0, "65000:1", 0, 150);
  EXPECT_EQ(shards.paths(0), 150u);
  EXPECT_TRUE(shards.closed.empty());
}

// A new session counts from the start, and what is kept over a restart with it.
TEST_P(Limits, SessionsStartOver) {
  Shards shards(GetParam());
  auto pe = Shards::pe(0, limited(Family::vpnv4, 100, Action::discard_new));
  for (int round = 0; round < 3; ++round) {
    shards.up(pe);
    shards.announce(0, "65000:1", 1000u * static_cast<std::uint32_t>(round), 120);
    EXPECT_EQ(shards.paths(0), 100u) << round;
    shards.shard_of(0).on_closed(PeerId(0), session::CloseReason::tcp_closed);
    shards.turns();
    EXPECT_EQ(shards.paths(0), 0u);
  }
}

// Announced by peer 0 in one UPDATE: prefix number and inner label each, two labels deep.
void announce_stacks(Shards& shards, std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> routes) {
  std::vector<std::uint8_t> nlri, next_hop, bytes;
  for (auto [prefix, label] : routes) {
    const std::uint32_t labels[] = {100u << 4, wire::label_field(label)};
    wire::encode_vpn_nlri(nlri, Shards::prefix("65000:1", prefix), labels);
  }
  wire::encode_next_hop(next_hop, Family::vpnv4, wire::IpAddress::v4(0xc0000201));
  ASSERT_TRUE(wire::encode_announcements(bytes, Family::vpnv4, next_hop, Shards::attributes("65000:1"), nlri));
  shards.receive(0, bytes);
}

// Paths name label stacks by 24 bits: what finds no room is treated as withdrawn (RFC 7606 §2), and the rest of the UPDATE holds.
TEST(LabelStacks, OneTooManyIsTreatedAsWithdrawn) {
  EngineSettings settings;
  settings.rib.label_stacks = 3;
  Shards shards(1, settings);
  shards.up(Shards::pe(0, Shards::group()));
  announce_stacks(shards, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 1}});
  EXPECT_EQ(shards.paths(0), 4u);  // not the fourth; the last shares a stack with the first
  shards.announce(0, "65000:1", 100, 5);
  EXPECT_EQ(shards.paths(0), 9u);  // single labels are no concern
  announce_stacks(shards, {{0, 5}});
  EXPECT_EQ(shards.paths(0), 8u);  // not left with the labels it had
  announce_stacks(shards, {{5, 6}, {5, 2}});
  EXPECT_EQ(shards.paths(0), 9u);
  announce_stacks(shards, {{5, 2}, {5, 6}, {6, 3}});  // the last word counts
  EXPECT_EQ(shards.paths(0), 9u);
  shards.withdraw(0, "65000:1", 1, 1);
  announce_stacks(shards, {{3, 4}});
  EXPECT_EQ(shards.paths(0), 9u);  // there is room again
  shards.pass(std::chrono::seconds(1));
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_label_stacks; }), 4u);
  auto refused = shards.shard(0).rib().refusals().find(RefusalLog::hash_prefix(Shards::prefix("65000:1", 0)));  // for explain
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].refusal, Refusal::label_stacks);
  EXPECT_FALSE(shards.answer);
  EXPECT_TRUE(shards.closed.empty());
}

// With import policies and quotas the entries go other ways.
TEST(LabelStacks, OneTooManyBesideAQuota) {
  EngineSettings settings;
  settings.rib.label_stacks = 2;
  settings.rib.quotas.max_paths_per_rd = 3;
  Shards shards(1, settings);
  shards.up(Shards::pe(0, Shards::group()));
  announce_stacks(shards, {{0, 1}, {1, 2}, {2, 3}, {3, 1}, {4, 2}});
  EXPECT_EQ(shards.paths(0), 3u);
  announce_stacks(shards, {{0, 4}});
  EXPECT_EQ(shards.paths(0), 2u);
  announce_stacks(shards, {{4, 2}});
  EXPECT_EQ(shards.paths(0), 3u);
  shards.pass(std::chrono::seconds(1));
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_label_stacks; }), 2u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_rd; }), 1u);
}

session::EstablishedPeer evpn_pe() {
  session::EstablishedPeer peer = Shards::pe(0, Shards::group());
  peer.families.insert(Family::evpn);
  return peer;
}

void announce_evpn(Shards& shards, Bytes nlri) {
  std::vector<std::uint8_t> next_hop, bytes;
  wire::encode_next_hop(next_hop, Family::evpn, wire::IpAddress::v4(0xc0000201));
  ASSERT_TRUE(wire::encode_announcements(bytes, Family::evpn, next_hop, Shards::attributes("65000:1"), nlri));
  shards.receive(0, bytes);
}

std::uint64_t evpn_paths(Shards& shards) {
  shards.pass(std::chrono::seconds(1));
  return shards.count([](auto& c) -> auto& { return c.paths[wire::index(Family::evpn)]; });
}

// RFC 7432 §7.2: what of a MAC route is not its key, its ESI and its label, is stored the same way.
TEST(LabelStacks, OneTooManyOfEvpn) {
  EngineSettings settings;
  settings.rib.label_stacks = 2;
  settings.evpn = true;
  Shards shards(1, settings);
  shards.up(evpn_pe());
  auto announce = [&](std::initializer_list<std::pair<std::uint8_t, std::uint8_t>> macs) {  // MAC and label
    std::vector<std::uint8_t> nlri;
    for (auto [mac, label] : macs) {
      std::vector<std::uint8_t> one = {2, 33, 0, 0, 0xfd, 0xe8, 0, 0, 0, 1};  // type, length, RD 65000:1
      one.resize(10 + 10 + 4);                                                // ESI 0, Ethernet tag 0
      for (int octet : {48, 2, 0, 0, 0, 0, int{mac}, 0, 0, int{label}, 1}) one.push_back(static_cast<std::uint8_t>(octet));
      nlri.insert(nlri.end(), one.begin(), one.end());
    }
    announce_evpn(shards, nlri);
  };
  announce({{1, 1}, {2, 2}, {3, 3}, {4, 1}});
  EXPECT_EQ(evpn_paths(shards), 3u);
  announce({{1, 3}});
  EXPECT_EQ(evpn_paths(shards), 2u);
  announce({{3, 2}, {1, 1}});
  EXPECT_EQ(evpn_paths(shards), 4u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_label_stacks; }), 2u);
}

// wire::kMaxEvpnEntry bounds entries of types that are not known, and nothing is left out without a trace.
TEST(Evpn, RoutesThatAreTooLongAreCounted) {
  EngineSettings settings;
  settings.evpn = true;
  Shards shards(1, settings);
  shards.up(evpn_pe());
  std::vector<std::uint8_t> nlri;
  for (std::size_t size : {std::size_t{91}, wire::kMaxEvpnEntry, std::size_t{200}}) {
    nlri.push_back(222);
    nlri.push_back(static_cast<std::uint8_t>(size - 2));
    nlri.resize(nlri.size() + size - 2, 7);
  }
  announce_evpn(shards, nlri);
  EXPECT_EQ(evpn_paths(shards), 1u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_message; }), 2u);
}

// A customer's leak stops at its quota, whoever announces it; the others are unhurt.
TEST_P(Limits, QuotaPerRd) {
  EngineSettings settings;
  settings.rib.quotas.max_paths_per_rd = 100;
  Shards shards(GetParam(), settings);
  for (std::uint32_t pe : {0u, 1u}) shards.up(Shards::pe(pe, Shards::group()));
  shards.announce(0, "65000:1", 0, 70);
  shards.announce(1, "65000:1", 1u << 16, 70);
  EXPECT_EQ(shards.paths(0), 70u);
  EXPECT_EQ(shards.paths(1), 30u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_rd; }), 40u);
  shards.announce(1, "65000:2", 0, 90);
  EXPECT_EQ(shards.paths(1), 120u);
  shards.withdraw(0, "65000:1", 0, 70);
  shards.announce(1, "65000:1", 1u << 16, 70);
  EXPECT_EQ(shards.paths(1), 160u);
}

TEST_P(Limits, QuotaPerRtSet) {
  EngineSettings settings;
  settings.rib.quotas.max_prefixes_per_rt_set = 100;
  Shards shards(GetParam(), settings);
  shards.up(Shards::pe(0, Shards::group()));
  shards.announce(0, "65000:1", 0, 60, "65000:1");
  shards.announce(0, "65000:2", 0, 60, "65000:1");
  EXPECT_EQ(shards.paths(0), 100u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_rt_set; }), 20u);
  shards.announce(0, "65000:3", 0, 60, "65000:2");
  EXPECT_EQ(shards.paths(0), 160u);
  // A route that moves to a full RT set is not kept under its old one.
  shards.announce(0, "65000:3", 0, 10, "65000:1");
  EXPECT_EQ(shards.paths(0), 150u);
  // Room is seen again, at the latest a second later.
  shards.withdraw(0, "65000:1", 0, 60);
  shards.pass(std::chrono::milliseconds(1100));
  shards.announce(0, "65000:2", 0, 60, "65000:1");
  EXPECT_EQ(shards.paths(0), 110u);
}

// pitfall 1.22: memberships have their limit.
TEST_P(Limits, Memberships) {
  Shards shards(GetParam());
  shards.up(Shards::pe(0, limited(Family::rtc, 3, Action::discard_new), true));
  shards.up(Shards::pe(1, limited(Family::rtc, 3, Action::idle_hold), true));
  std::vector<std::string> five = {"65000:1", "65000:2", "65000:3", "65000:4", "65000:5"};
  shards.join(0, five);
  EXPECT_EQ(shards.shard_of(0).distribution().membership(PeerId(0))->size(), 3u);
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_limit; }), 2u);
  shards.join(0, {"65000:1", "65000:2"});  // they are there already
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_limit; }), 2u);
  EXPECT_FALSE(shards.closed.contains(0));
  shards.join(1, five);
  ASSERT_TRUE(shards.closed.contains(1));
  EXPECT_EQ(shards.closed.at(1).notification, (wire::Notification{6, 1, {0, 1, 132, 0, 0, 0, 3}}));
}

// What operators are told of peer 0: "exceeded FAMILY LIMIT" or "near FAMILY LIMIT", in order.
std::vector<std::string> told(Shards& shards) {
  std::vector<std::string> out;
  rib::JournalCursor cursor;
  rib::JournalSlice slice = shards.shard_of(0).journal()->read(cursor, {.routes = false, .memberships = false}, 1000, 1 << 20);
  for (const rib::JournalRecord& record : slice.records) {
    if (record.event == rib::JournalEvent::limit_exceeded) out.push_back("exceeded " + record.text);
    if (record.event == rib::JournalEvent::limit_warning) out.push_back("near " + record.text);
  }
  return out;
}

// A limit that is never exceeded, because what is new is discarded, is told of all the same: once, until there is room again.
TEST_P(Limits, DiscardNewIsToldOnce) {
  EngineSettings settings;
  settings.journal_bytes = 4 << 20;
  Shards shards(GetParam(), settings);
  auto group = limited(Family::vpnv4, 100, Action::discard_new);
  group->prefix_limits[wire::index(Family::rtc)] = PrefixLimit{.max_prefixes = 3, .action = Action::discard_new};
  shards.up(Shards::pe(0, group, true));
  shards.announce(0, "65000:1", 0, 150);
  shards.announce(0, "65000:2", 0, 20);
  EXPECT_EQ(told(shards), (std::vector<std::string>{"exceeded vpnv4 100"}));
  shards.withdraw(0, "65000:1", 0, 50);
  shards.announce(0, "65000:2", 0, 20);
  EXPECT_EQ(told(shards).size(), 1u);  // 70 of 100
  shards.announce(0, "65000:3", 0, 60);
  EXPECT_EQ(told(shards), (std::vector<std::string>{"exceeded vpnv4 100", "exceeded vpnv4 100"}));
  shards.join(0, {"65000:1", "65000:2", "65000:3", "65000:4"});
  shards.join(0, {"65000:5", "65000:6"});
  std::vector<std::string> all = told(shards);
  ASSERT_EQ(all.size(), 4u) << testing::PrintToString(all);
  EXPECT_EQ(all[2], "near rtc 3");
  EXPECT_EQ(all[3], "exceeded rtc 3");
}

TEST_P(Limits, AttributeSize) {
  EngineSettings settings;
  settings.attribute_bytes = 300;
  Shards shards(GetParam(), settings);
  shards.up(Shards::pe(0, Shards::group()));
  shards.announce(0, "65000:1", 0, 10);
  EXPECT_EQ(shards.paths(0), 10u);
  std::vector<std::uint8_t> nlri, next_hop, bytes, large = Shards::attributes("65000:1");
  const std::uint32_t label = wire::label_field(100);
  wire::encode_vpn_nlri(nlri, Shards::prefix("65000:1", 3), std::span(&label, 1));
  wire::encode_next_hop(next_hop, Family::vpnv4, wire::IpAddress::v4(0xc0000201));
  wire::encode_attribute(large, 0xc0, 200, std::vector<std::uint8_t>(400, 7));
  ASSERT_TRUE(wire::encode_announcements(bytes, Family::vpnv4, next_hop, large, nlri));
  shards.receive(0, bytes);
  EXPECT_EQ(shards.paths(0), 9u);  // withdrawn, not kept with its old attributes
  EXPECT_EQ(shards.count([](auto& c) -> auto& { return c.discarded_by_size; }), 1u);
}

}  // namespace
}  // namespace helio::reflector::test
