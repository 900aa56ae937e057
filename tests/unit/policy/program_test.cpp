// Programs: what each condition matches, what each action makes of the attributes, how statements follow one another,
// and what the compiler says about mistakes.
#include <gmock/gmock.h>

#include "rib/encoding_class.hpp"
#include "rr/policy/compile.hpp"
#include "rr/wire/attributes.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::policy {
namespace {

namespace attr = wire::attr;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using wire::attr_flag::optional, wire::attr_flag::transitive;

std::vector<std::uint8_t> u32s(std::initializer_list<std::uint32_t> values) {
  std::vector<std::uint8_t> out;
  for (std::uint32_t v : values) ByteWriter(out).u32(v);
  return out;
}
std::vector<std::uint8_t> u64s(std::initializer_list<std::uint64_t> values) {
  std::vector<std::uint8_t> out;
  for (std::uint64_t v : values) ByteWriter(out).u64(v);
  return out;
}

constexpr std::uint64_t kRt1 = 0x0002fde800000001, kRt2 = 0x0002fde800000002, kSoo = 0x0003fde800000064;

// Canonical attributes of an ordinary route; tests replace what they are about.
struct Route {
  std::vector<std::uint32_t> as_path{65001, 65002};
  std::vector<std::uint8_t> communities = u32s({0xfde80001, 0xffffff01});
  std::vector<std::uint8_t> extended = u64s({kSoo, kRt1});
  std::vector<std::uint8_t> large = u32s({65000, 1, 2});
  wire::IpAddress next_hop = wire::IpAddress::v4(0x0a000001);

  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> out, value(1, 0);
    wire::encode_attribute(out, transitive, attr::origin, value);
    value.clear();
    if (!as_path.empty()) value = {2, static_cast<std::uint8_t>(as_path.size())};
    for (std::uint32_t as : as_path) ByteWriter(value).u32(as);
    wire::encode_attribute(out, transitive, attr::as_path, value);
    wire::encode_attribute_u32(out, transitive, attr::local_pref, 100);
    if (!communities.empty()) wire::encode_attribute(out, optional | transitive, attr::communities, communities);
    if (!extended.empty()) wire::encode_attribute(out, optional | transitive, attr::extended_communities, extended);
    if (!large.empty()) wire::encode_attribute(out, optional | transitive, attr::large_communities, large);
    return out;
  }
  std::vector<std::uint8_t> next_hop_field() const {
    std::vector<std::uint8_t> out;
    wire::encode_next_hop(out, wire::Family::vpnv4, next_hop);
    return out;
  }
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() { definition.local_as = 65000; }

  SetDefinition& set(const std::string& name) { return definition.sets.emplace_back(SetDefinition{.name = name}); }
  // Statements are run as the import policy of the group "g", in this order.
  StatementDefinition& statement(const std::string& name, Action action = Action::accept) {
    return definition.statements.emplace_back(StatementDefinition{.name = name, .action = action});
  }
  std::vector<std::string> errors() {
    std::vector<DefinitionError> list;
    compile(with_group(), list);
    std::vector<std::string> out;
    for (const DefinitionError& e : list) out.push_back(e.key + ": " + e.message);
    return out;
  }
  Definition with_group() const {
    Definition d = definition;
    GroupDefinition group{.name = "g", .import_policy = {}, .export_policy = {}};
    for (const StatementDefinition& s : d.statements) group.import_policy.push_back(s.name);
    d.groups.push_back(group);
    return d;
  }
  const Program& program() {
    std::vector<DefinitionError> list;
    compiled = compile(with_group(), list);
    EXPECT_TRUE(list.empty()) << (list.empty() ? "" : list[0].key + ": " + list[0].message);
    return *compiled;
  }
  PolicyNlri nlri(std::string_view prefix, std::string_view rd = "65000:1") const {
    auto p = wire::parse_prefix(prefix).value();
    return {p.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4, wire::parse_rd(rd).value().value, aligned(wire::IpAddress{p.address, p.is_v6}), p.length};
  }
  // What becomes of the route.
  PolicyOutcome run(const Route& route = {}, std::string_view prefix = "10.0.0.0/24", std::string_view rd = "65000:1") {
    const Program& p = program();
    PolicyOutcome out;
    std::uint16_t policy = p.import_of("g");
    p.import(policy, source, route.next_hop_field(), route.bytes(), p.run_tests(p.tests_of(policy), nlri(prefix, rd)), out);
    return out;
  }
  bool accepts(const Route& route = {}, std::string_view prefix = "10.0.0.0/24", std::string_view rd = "65000:1") { return run(route, prefix, rd).accepted; }
  static std::vector<std::uint8_t> value(const std::vector<std::uint8_t>& bytes, std::uint8_t type) {
    for (Bytes rest = bytes; !rest.empty();) {
      rib::StoredAttribute a = rib::take_attribute(rest);
      if (a.type == type) return {a.value.begin(), a.value.end()};
    }
    return {};
  }

  Definition definition;
  std::shared_ptr<const Program> compiled;
  PolicySource source{wire::IpAddress::v4(0x0aff0001), session::PeerRole::client};
};

TEST_F(ProgramTest, NothingMatchesIsAccepted) {
  set("s").route_targets = {"65000:9"};
  statement("drop", Action::reject).any_route_target_in = "s";
  PolicyOutcome out = run();
  EXPECT_TRUE(out.accepted);
  EXPECT_FALSE(out.changed);
  EXPECT_THAT(out.statements, IsEmpty());
}

TEST_F(ProgramTest, AttributeConditions) {
  set("rt").route_targets = {"65000:1"};
  set("other-rt").route_targets = {"65000:2", "64512:*"};
  set("community").communities = {"no-export"};
  set("extended").extended_communities = {"soo:65000:*"};
  set("large").large_communities = {"65000:1:*"};
  set("path").as_paths = {"_65002$"};
  set("hop").next_hops = {"10.0.0.0/30"};
  set("peer").peers = {"10.255.0.0/16"};
  struct Row {
    std::string StatementDefinition::*condition;
    const char* set;
    bool matches;
  };
  for (const Row& row : std::vector<Row>{{&StatementDefinition::any_route_target_in, "rt", true},
                                         {&StatementDefinition::any_route_target_in, "other-rt", false},
                                         {&StatementDefinition::any_community_in, "community", true},
                                         {&StatementDefinition::any_extended_community_in, "extended", true},
                                         {&StatementDefinition::any_large_community_in, "large", true},
                                         {&StatementDefinition::as_path_in, "path", true},
                                         {&StatementDefinition::next_hop_in, "hop", true},
                                         {&StatementDefinition::peer_in, "peer", true}}) {
    definition.statements.clear();
    statement("drop", Action::reject).*row.condition = row.set;
    EXPECT_EQ(accepts(), !row.matches) << row.set;
    Route other{.as_path = {65009}, .communities = u32s({1}), .extended = u64s({kRt2 + 7}), .large = u32s({1, 1, 1}), .next_hop = wire::IpAddress::v4(0x0a000009)};
    source.address = wire::IpAddress::v4(0x0afe0001);
    EXPECT_TRUE(accepts(other)) << row.set;
    EXPECT_TRUE(accepts({.as_path = {}, .communities = {}, .extended = {}, .large = {}, .next_hop = other.next_hop})) << row.set;
    source.address = wire::IpAddress::v4(0x0aff0001);
  }
  definition.statements.clear();
  statement("drop", Action::reject).source_role = session::PeerRole::external;
  EXPECT_TRUE(accepts());
  source.role = session::PeerRole::external;
  EXPECT_FALSE(accepts());
}

TEST_F(ProgramTest, NlriConditions) {
  set("inner").prefixes = {"10.0.0.0/8 ge 24", "2001:db8::/32"};
  set("rds").route_distinguishers = {"65000:*"};
  statement("a", Action::reject).prefix_in = "inner";
  EXPECT_FALSE(accepts({}, "10.1.1.0/24"));
  EXPECT_TRUE(accepts({}, "10.1.0.0/16"));
  EXPECT_FALSE(accepts({}, "2001:db8::/32"));
  statement("b", Action::reject).route_distinguisher_in = "rds";
  EXPECT_FALSE(accepts({}, "10.1.0.0/16", "65000:7"));
  EXPECT_TRUE(accepts({}, "10.1.0.0/16", "65001:7"));
  definition.statements.clear();
  wire::FamilySet v6;
  v6.insert(wire::Family::vpnv6);
  statement("c", Action::reject).families = v6;
  EXPECT_TRUE(accepts({}, "10.1.0.0/16"));
  EXPECT_FALSE(accepts({}, "2001:db8::/32"));
}

TEST_F(ProgramTest, AllConditionsMustHold) {
  set("rt").route_targets = {"65000:1"};
  set("inner").prefixes = {"10.0.0.0/24"};
  StatementDefinition& s = statement("drop", Action::reject);
  s.any_route_target_in = "rt";
  s.prefix_in = "inner";
  EXPECT_FALSE(accepts());
  EXPECT_TRUE(accepts({}, "10.0.1.0/24"));
  EXPECT_TRUE(accepts({.extended = u64s({kRt2})}));
}

// RFC 7432 §7: next hops of EVPN have no RD. Inner prefixes are not what its keys are.
TEST_F(ProgramTest, EvpnRoutes) {
  set("inner").prefixes = {"0.0.0.0/0 ge 0 le 32", "::/0 ge 0 le 128"};
  set("hop").next_hops = {"10.0.0.1"};
  statement("by prefix", Action::reject).prefix_in = "inner";
  statement("others", Action::reject).families = wire::FamilySet{1 << wire::index(wire::Family::vpnv4)};
  StatementDefinition& s = statement("set");
  s.next_hop_in = "hop";
  s.next_hop = "192.0.2.9";
  const Program& p = program();
  std::uint16_t policy = p.import_of("g");
  PolicyNlri evpn{wire::Family::evpn, 0x0000fde800000065, 7, 32};
  auto import = [&](std::vector<std::uint8_t> next_hop) {
    PolicyOutcome out;
    p.import(policy, source, next_hop, Route{}.bytes(), p.run_tests(p.tests_of(policy), evpn), out);
    return out;
  };
  PolicyOutcome out = import({10, 0, 0, 1});
  EXPECT_TRUE(out.accepted);
  EXPECT_EQ(out.next_hop, (std::vector<std::uint8_t>{192, 0, 2, 9}));
  std::vector<std::uint8_t> six(16, 0);
  six[0] = 0x20;
  EXPECT_FALSE(import(six).changed);
  EXPECT_FALSE(accepts());  // VPNv4
}

TEST_F(ProgramTest, Actions) {
  StatementDefinition& s = statement("set");
  s.local_preference = 200;
  s.med = 30;
  s.aigp = 7;
  s.next_hop = "192.0.2.9";
  s.communities_add = {"65000:5", "65000:1"};
  s.communities_remove = {"no-export"};
  s.route_targets_add = {"65000:2"};
  s.route_targets_remove = {"65000:1"};
  s.extended_communities_add = {"soo:65000:7"};
  s.large_communities_remove = {"65000:*:*"};
  s.prepend_repeat = 2;
  PolicyOutcome out = run();
  ASSERT_TRUE(out.accepted && out.changed && out.sets_med);
  EXPECT_EQ(value(out.bytes, attr::local_pref), u32s({200}));
  EXPECT_EQ(value(out.bytes, attr::med), u32s({30}));
  EXPECT_EQ(wire::find_aigp(value(out.bytes, attr::aigp)), 7u);
  EXPECT_EQ(value(out.bytes, attr::communities), u32s({0xfde80001, 0xfde80005}));  // what is there already is not added
  EXPECT_EQ(value(out.bytes, attr::extended_communities), u64s({kSoo, kRt2, 0x0003fde800000007}));
  EXPECT_THAT(value(out.bytes, attr::large_communities), IsEmpty());
  EXPECT_EQ(wire::format_as_path(value(out.bytes, attr::as_path)), "65000 65000 65001 65002");
  EXPECT_EQ(out.next_hop, Route{.next_hop = wire::IpAddress::v4(0xc0000209)}.next_hop_field());
  std::uint8_t last = 0;
  for (Bytes rest = out.bytes; !rest.empty();) {  // in canonical order
    rib::StoredAttribute a = rib::take_attribute(rest);
    EXPECT_GT(a.type, last);
    last = a.type;
  }
}

// RFC 4659 §3.2.1.2: a VPNv6 route with an IPv4 next hop carries the mapped address.
TEST_F(ProgramTest, NextHopTakesTheFormOfTheFamily) {
  statement("set").next_hop = "192.0.2.9";
  EXPECT_EQ(run({}, "10.0.0.0/24").next_hop.size(), 12u);
  EXPECT_EQ(run({}, "2001:db8::/32").next_hop.size(), 24u);
}

TEST_F(ProgramTest, SettingWhatIsThereChangesNothing) {
  StatementDefinition& s = statement("set");
  s.local_preference = 100;
  s.communities_add = {"65000:1"};
  s.route_targets_remove = {"65000:9"};
  EXPECT_FALSE(run().changed);
}

TEST_F(ProgramTest, ContinueGoesOnWithWhatWasSet) {
  set("marked").communities = {"65000:77"};
  StatementDefinition& first = statement("mark", Action::go_on);
  first.communities_add = {"65000:77"};
  StatementDefinition& second = statement("drop marked", Action::reject);
  second.any_community_in = "marked";
  PolicyOutcome out = run();
  EXPECT_FALSE(out.accepted);
  EXPECT_THAT(out.statements, ElementsAre(0, 1));
  definition.statements[0].action = Action::accept;  // ends the policy
  EXPECT_TRUE(run().accepted);
}

// RFC 4684: what a peer may ask for. VPN routes are not touched by such a statement, nor memberships by others.
TEST_F(ProgramTest, Memberships) {
  set("rt").route_targets = {"65000:1", "64512:*"};
  statement("routes", Action::reject).any_route_target_in = "rt";
  statement("asks", Action::reject).any_membership_in = "rt";
  const Program& p = program();
  auto accepted = [&](wire::RtMembership m) { return p.accepts_membership(p.import_of("g"), source, m); };
  EXPECT_FALSE(accepted({96, 65000, kRt1}));
  EXPECT_FALSE(accepted({96, 65100, kRt1}));  // pitfall 1.3: the origin AS plays no part
  EXPECT_TRUE(accepted({96, 65000, kRt2}));
  EXPECT_FALSE(accepted({64, 65000, 0x0002fc0000000000}));  // all of 64512:*, pitfall 1.12
  EXPECT_TRUE(accepted({56, 65000, 0x0002fc0000000000 & ~std::uint64_t{0} << 40}));  // more than any pattern
  EXPECT_TRUE(accepted({}));
  EXPECT_TRUE(accepts({.extended = u64s({kRt2})}));
  definition.sets[0].route_targets = {"*"};
  const Program& all = program();
  EXPECT_FALSE(all.accepts_membership(all.import_of("g"), source, {}));
}

TEST_F(ProgramTest, HitsGoOnAfterAReload) {
  statement("set").local_preference = 7;
  PolicyOutcome out = run();
  compiled->count(out.statements, 5);
  std::vector<DefinitionError> list;
  auto next = compile(with_group(), list, compiled.get());
  EXPECT_EQ(next->hits().at(0).sets, 5u);
  EXPECT_EQ(next->hits().at(0).name, "set");
}

// A group keeps its export number over reloads; a new group does not get one that was in use.
TEST_F(ProgramTest, ExportNumbersStay) {
  statement("set").local_preference = 7;
  Definition d = definition;
  d.groups = {{"a", {}, {"set"}}, {"b", {}, {}}};
  std::vector<DefinitionError> list;
  auto first = compile(d, list);
  EXPECT_EQ(first->export_of("a"), 1);
  EXPECT_EQ(first->export_of("b"), 0);
  d.groups = {{"b", {}, {"set"}}, {"a", {}, {}}};
  auto second = compile(d, list, first.get());
  EXPECT_EQ(second->export_of("a"), 1);
  EXPECT_EQ(second->export_of("b"), 2);
  EXPECT_EQ(second->export_text(1), "");
  EXPECT_EQ(second->export_text(2), first->export_text(1));
  d.groups.clear();
  for (int i = 0; i < 17; ++i) d.groups.push_back({"g" + std::to_string(i), {}, {"set"}});
  EXPECT_EQ(compile(d, list), nullptr);
  EXPECT_THAT(list.back().message, HasSubstr("more than 16 peer groups"));
}

TEST_F(ProgramTest, MistakesAreReportedAllAtOnce) {
  SetDefinition& s = set("s");
  s.route_targets = {"65000:1", "65000"};
  s.prefixes = {"10.0.0.1/8"};
  s.as_paths = {"_65001_", "("};
  set("s");
  StatementDefinition& a = statement("a");
  a.any_route_target_in = "t";
  a.any_community_in = "s";
  a.next_hop = "pe1";
  a.communities_add = {"65000:*"};
  StatementDefinition& b = statement("b", Action::reject);
  b.local_preference = 5;
  statement("c", Action::go_on);
  StatementDefinition& d = statement("d", Action::reject);
  d.any_membership_in = "s";
  d.prefix_in = "s";
  definition.groups = {{"x", {"e"}, {}}};
  EXPECT_THAT(errors(),
              ElementsAre("policy.sets[0].route-targets[1]: \"65000\" is not a route target",
                          "policy.sets[0].prefixes[0]: \"10.0.0.1/8\" is not a prefix list entry",
                          HasSubstr("policy.sets[0].as-paths[1]: \"(\" is not an AS path expression"),
                          "policy.sets[1].name: set \"s\" exists already",
                          "policy.statements[0].match.any-route-target-in: there is no set \"t\"",
                          "policy.statements[0].match.any-community-in: set \"s\" has no communities",
                          "policy.statements[0].set.next-hop: \"pe1\" is not an IPv4 or IPv6 address",
                          "policy.statements[0].set.communities-add[0]: \"65000:*\" is not a community",
                          "policy.statements[1].set: has no effect: the statement rejects",
                          "policy.statements[2].action: a statement that continues and sets nothing has no effect",
                          "policy.statements[3].match: rt-constrain routes are matched by any-membership-in, peer-in and source-role only",
                          "peer-groups[0].import-policy[0]: there is no policy statement \"e\""));
}

}  // namespace
}  // namespace helio::policy
