// Random cores, VRFs, route target plans and churn: at every quiet point packets go where the route targets lead, and
// nowhere else (DESIGN §4, invariant 4). The expectation knows no BGP and no labels; what carries the packets is heliod's
// engine, the PEs' import and export, and the forwarding component.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>

#include "bench/lab/lib/expectation.hpp"
#include "bench/lab/lib/report.hpp"
#include "tests/support/script.hpp"

namespace helio::lab {
namespace {

using test::Random;

std::uint64_t target(std::uint32_t n) { return 0x0002fde800000000ull + n; }

// Some of the targets 1..n.
std::vector<std::uint64_t> some_targets(Random& random, std::uint32_t n, unsigned percent) {
  std::vector<std::uint64_t> out;
  for (std::uint32_t i = 1; i <= n; ++i)
    if (random.percent(percent)) out.push_back(target(i));
  return out;
}

// Prefixes repeat between sites and cover each other.
Prefix some_prefix(Random& random) {
  static const char* const kPool[] = {"10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/16", "10.0.0.128/25", "10.1.0.0/24", "192.168.0.0/24", "192.168.0.0/20", "2001:db8::/64", "2001:db8::/48", "0.0.0.0/0"};
  return *wire::parse_prefix(kPool[random.below(10)]);
}

// Reflectors, a core in one piece and PEs with VRFs.
void add_as(Random& random, Topology& t, Asn as, wire::FamilySet families, std::uint32_t targets, std::uint32_t& rd) {
  auto name = [&](const char* kind, std::uint32_t i) { return fmt::format("{}{}{}", kind, as == 65000 ? "" : "x", i); };
  std::uint32_t reflectors = 1 + random.below(3), routers = 3 + random.below(6), pes = 2 + random.below(std::min(4u, routers - 1));
  std::vector<std::string> reflector_names;
  for (std::uint32_t i = 0; i < reflectors; ++i) reflector_names.push_back(name("rr", i));
  for (std::uint32_t i = 0; i < reflectors; ++i) {
    ReflectorSpec rr;
    rr.name = reflector_names[i];
    rr.as = as;
    rr.address = IpAddress::v4(0x0afe0001 + static_cast<std::uint32_t>(t.reflectors.size()));
    for (std::uint32_t j = 0; j < reflectors; ++j)
      if (j != i) rr.mesh.push_back(reflector_names[j]);
    rr.families = families;
    t.reflectors.push_back(rr);
  }
  auto has_link = [&](const std::string& a, const std::string& b) {
    return std::any_of(t.links.begin(), t.links.end(), [&](const LinkSpec& l) { return (l.a == a && l.b == b) || (l.a == b && l.b == a); });
  };
  for (std::uint32_t i = 0; i < routers; ++i) {
    RouterSpec r;
    r.name = name("r", i);
    r.is_pe = i < pes;
    r.as = r.open_as = as;
    r.loopback = IpAddress::v4(0x0aff0001 + static_cast<std::uint32_t>(t.routers.size()));
    r.families = families;
    if (random.percent(25)) r.families.erase(wire::Family::rtc);
    r.multipath = random.percent(30);
    if (r.is_pe) {
      for (const std::string& rr : reflector_names)
        if (r.reflectors.empty() || random.percent(60)) r.reflectors.push_back(rr);
      for (std::uint32_t v = 0, n = 1 + random.below(3); v < n; ++v) {
        VrfSpec vrf;
        vrf.name = fmt::format("v{}", v);
        vrf.rd = *wire::parse_rd(fmt::format("65000:{}", rd++));
        vrf.import_targets = some_targets(random, targets, 40);
        vrf.export_targets = some_targets(random, targets, 40);
        vrf.labels = static_cast<LabelMode>(random.below(3));
        r.vrfs.push_back(vrf);
      }
    }
    t.routers.push_back(r);
    if (i > 0) t.links.push_back({name("r", random.below(i)), r.name, 10, 1700});
  }
  for (std::uint32_t i = 0, n = random.below(routers); i < n; ++i) {  // more links make equal ways
    std::string a = name("r", random.below(routers)), b = name("r", random.below(routers));
    if (a != b && !has_link(a, b)) t.links.push_back({a, b, 10, 1700});
  }
}

Topology random_topology(Random& random) {
  Topology t;
  t.name = "random";
  t.transport = static_cast<Transport>(random.below(4));
  t.php = static_cast<Php>(random.below(3));
  t.is_ttl_uniform = random.percent(50);
  t.has_entropy_label = random.percent(30);
  t.customers.push_back({"c", true, ""});
  wire::FamilySet families;
  for (auto f : {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc}) families.insert(f);
  std::uint32_t targets = 1 + random.below(5), rd = 1;
  add_as(random, t, 65000, families, targets, rd);
  // A second AS behind option A, B or C (RFC 4364 §10); the first router of each is the ASBR.
  if (random.percent(60)) {
    std::size_t border = t.routers.size(), first_reflector = t.reflectors.size();
    add_as(random, t, 65100, families, targets, rd);
    InterAsSpec between{t.routers[0].name, t.routers[border].name, random.percent(50) ? InterAs::b : InterAs::c};
    if (random.percent(33)) {
      const RouterSpec &a = t.routers[0], &b = t.routers[border];
      for (std::size_t v = 0; v < std::min(a.vrfs.size(), b.vrfs.size()); ++v)
        if (v == 0 || random.percent(50)) t.vrf_links.push_back({a.name, a.vrfs[v].name, b.name, b.vrfs[v].name});
    } else {
      t.inter_as.push_back(between);
      t.links.push_back({between.a, between.b, 10, 1700});
      if (t.transport == Transport::gre || t.transport == Transport::mpls_in_ip) t.transport = Transport::ldp;
    }
    if (!t.inter_as.empty() && between.option == InterAs::c) {
      t.reflectors[0].external.push_back(t.reflectors[first_reflector].name);
      t.reflectors[first_reflector].external.push_back(t.reflectors[0].name);
    }
  }
  // A reflector that adds targets, and PEs that take their own routes back (RFC 7611). PEs do not filter then: with RT-Constrain
  // a route whose own targets nobody imports does not even come to the reflector (RFC 4684 §5).
  if (random.percent(30)) {
    t.reflectors[random.below(static_cast<std::uint32_t>(t.reflectors.size()))].add_targets[target(1)] = {target(1 + random.below(5))};
    for (RouterSpec& r : t.routers) r.families.erase(wire::Family::rtc);
  }
  for (RouterSpec& r : t.routers) r.accept_own = random.percent(50);
  std::vector<const RouterSpec*> pes;
  for (const RouterSpec& r : t.routers)
    if (r.is_pe) pes.push_back(&r);
  for (std::uint32_t i = 0, n = 3 + random.below(6); i < n; ++i) {
    CeSpec ce;
    ce.name = fmt::format("ce{}", i);
    ce.customer = "c";
    ce.as = 64600 + i;
    // A site's own network, which nobody else has, and what it shares with others' address plans.
    ce.prefixes.push_back(*wire::parse_prefix(fmt::format("172.20.{}.0/24", i)));
    ce.prefixes.push_back(*wire::parse_prefix(fmt::format("2001:db8:ff{:02x}::/64", i)));
    for (std::uint32_t p = 0, m = 1 + random.below(3); p < m; ++p) {
      Prefix prefix = some_prefix(random);
      if (std::find(ce.prefixes.begin(), ce.prefixes.end(), prefix) == ce.prefixes.end()) ce.prefixes.push_back(prefix);
    }
    AttachmentSpec at;
    const RouterSpec& pe = *random.pick(pes);
    at.pe = pe.name;
    at.vrf = pe.vrfs[random.below(static_cast<std::uint32_t>(pe.vrfs.size()))].name;
    at.prefixes = ce.prefixes;
    at.has_bgp = random.percent(30);
    ce.attachments.push_back(at);
    t.ces.push_back(ce);
  }
  return t;
}

std::string plan_text(Lab& lab) {
  const Topology& t = lab.topology();
  std::string out = "\n";
  for (const ReflectorSpec& rr : t.reflectors) out += fmt::format("  {} {}{}\n", rr.name, lab.is_up(rr.name) ? "up" : "down", rr.add_targets.empty() ? "" : " adds targets");
  for (const VrfLinkSpec& l : t.vrf_links) out += fmt::format("  {}/{} back to back with {}/{}\n", l.pe_a, l.vrf_a, l.pe_b, l.vrf_b);
  for (const InterAsSpec& s : t.inter_as) out += fmt::format("  {} and {}: option {}\n", s.a, s.b, s.option == InterAs::b ? "b" : "c");
  auto list = [](const std::vector<std::uint64_t>& targets) {
    std::string text;
    for (std::uint64_t rt : targets) text += " " + wire::format_rt(wire::RouteTarget{rt});
    return text;
  };
  for (const RouterSpec& r : t.routers)
    for (const VrfSpec& v : r.vrfs) out += fmt::format("  {}/{} import{} export{} labels {}\n", r.name, v.name, list(v.import_targets), list(v.export_targets), static_cast<int>(v.labels));
  for (const CeSpec& ce : t.ces) {
    out += fmt::format("  {} at {}/{}{}:", ce.name, ce.attachments[0].pe, ce.attachments[0].vrf, ce.attachments[0].has_bgp ? " bgp" : "");
    for (const Prefix& p : ce.attachments[0].prefixes) out += " " + wire::format_prefix(p);
    out += "\n";
  }
  return out;
}

// "" when every packet did what the plan says.
std::string check(Lab& lab) {
  const Topology& t = lab.topology();
  Expectation expectation(t, [&](std::string_view n) { return lab.is_up(n); });
  for (std::size_t from = 0; from < t.ces.size(); ++from) {
    if (!lab.is_up(t.ces[from].name)) continue;
    std::set<IpAddress> destinations;
    for (const CeSpec& ce : t.ces)
      for (const Prefix& p : ce.prefixes) destinations.insert(first_host(p));
    for (const char* nobody : {"10.0.0.200", "192.168.5.5", "203.0.113.9", "2001:db8:0:9::1"}) destinations.insert(*wire::parse_ip(nobody));
    for (const IpAddress& to : destinations) {
      IpAddress source = first_host(t.ces[from].prefixes[to.is_v6 ? 1 : 0]);
      Expected expected = expectation.trace(from, to);
      Walk walk = lab.send(from, source, to);
      std::string what = fmt::format("{} to {}: ", t.ces[from].name, wire::format_ip(to));
      if (walk.end == Walk::End::lost) return what + "goes round and round";
      if (walk.reason == forwarding::Drop::ttl_expired && !expected.may_be_lost) return what + "TTL expired";
      if (walk.end == Walk::End::delivered) {
        bool allowed = false;
        for (std::size_t ce : expected.arrives) allowed |= lab.node_of_ce(ce) == walk.last;
        if (!allowed) return what + "came out at " + lab.node(walk.last).name + ", where no route target leads; " + format_path(lab, walk) + plan_text(lab);
      } else if (!expected.arrives.empty() && !expected.may_be_lost) {
        return what + fmt::format("was lost at {} ({}) though the route targets lead to {}", lab.node(walk.last).name, forwarding::drop_name(walk.reason), t.ces[*expected.arrives.begin()].name) + "; " + format_path(lab, walk) + plan_text(lab);
      }
    }
  }
  return "";
}

void churn(Lab& lab, Random& random) {
  const Topology& t = lab.topology();
  for (std::uint32_t i = 0, n = 1 + random.below(4); i < n; ++i) {
    switch (random.below(5)) {
      case 0: {
        const CeSpec& ce = t.ces[random.below(static_cast<std::uint32_t>(t.ces.size()))];
        lab.set_announced(ce.name, ce.prefixes[random.below(static_cast<std::uint32_t>(ce.prefixes.size()))], random.percent(50));
        break;
      }
      case 1: {
        const RouterSpec& r = t.routers[random.below(static_cast<std::uint32_t>(t.routers.size()))];
        if (r.vrfs.empty()) break;
        lab.set_targets(r.name, r.vrfs[random.below(static_cast<std::uint32_t>(r.vrfs.size()))].name, some_targets(random, 5, 40), some_targets(random, 5, 40));
        break;
      }
      case 2: {  // any reflector, so that PEs may be without one for a while
        const std::string name = random.pick(t.reflectors).name;
        lab.set_node(name, !lab.is_up(name));
        break;
      }
      case 3: {
        const CeSpec& ce = t.ces[random.below(static_cast<std::uint32_t>(t.ces.size()))];
        lab.set_node(ce.name, !lab.is_up(ce.name));
        break;
      }
      case 4: {
        for (const RouterSpec& r : t.routers)
          if (r.is_pe && random.percent(15)) lab.set_node(r.name, !lab.is_up(r.name));
        break;
      }
    }
  }
}

std::string run_seed(std::uint64_t seed) {
  Random random(seed);
  Topology t = random_topology(random);
  Lab lab(t, 1 + random.below(3));
  for (int step = 0; step < 8; ++step) {
    if (!lab.converge()) return fmt::format("seed {} step {}: BGP does not come to rest", seed, step) + plan_text(lab);
    if (std::string failure = check(lab); !failure.empty()) return fmt::format("seed {} step {}: {}", seed, step, failure);
    churn(lab, random);
  }
  return "";
}

// HELIO_SEEDS=n: how many; HELIO_SEED=n: that one alone.
TEST(LabSeeds, ForwardingFollowsTheRouteTargets) {
  if (const char* one = std::getenv("HELIO_SEED")) {
    EXPECT_EQ(run_seed(std::strtoull(one, nullptr, 10)), "");
    return;
  }
  const char* many = std::getenv("HELIO_SEEDS");
  std::uint64_t seeds = many != nullptr ? std::strtoull(many, nullptr, 10) : 60;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) ASSERT_EQ(run_seed(seed), "");
}

}  // namespace
}  // namespace helio::lab
