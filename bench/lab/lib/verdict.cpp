#include "bench/lab/lib/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rib/forwarding/icmp.hpp"

namespace helio::lab {
namespace {

std::string join(const std::vector<std::uint64_t>& targets) {
  std::string out;
  for (std::uint64_t rt : targets) out += (out.empty() ? "" : ", ") + wire::format_rt(wire::RouteTarget{rt});
  return out.empty() ? "nothing" : out;
}

// How far apart two texts are; small numbers mean a slip of the finger.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

class Diagnosis {
 public:
  explicit Diagnosis(Lab& lab) : lab_(lab), t_(lab.topology()) {}

  Cause of(const PairResult& pair) {
    const CeSpec &from = t_.ces[pair.from], &to = t_.ces[pair.to];
    if (pair.grade == PairResult::Grade::leaked) return leak(pair, from, to);
    if (!pair.is_planned) return plan(pair, from, to);
    return distribution(pair, from, to);
  }

 private:
  struct Attached {
    const RouterSpec* pe = nullptr;
    const VrfSpec* vrf = nullptr;
  };
  Attached attached(const AttachmentSpec& at) const {
    const RouterSpec* pe = t_.find_router(at.pe);
    return {pe, pe->find_vrf(at.vrf)};
  }
  // Where a CE sends to, and where a prefix of it is announced.
  Attached uplink(const CeSpec& ce) const {
    for (const AttachmentSpec& at : ce.attachments)
      if ((at.is_uplink || at.has_bgp) && lab_.is_up(at.pe)) return attached(at);
    return attached(ce.attachments.front());
  }
  Attached announcer(const CeSpec& ce, const Prefix& prefix) const {
    for (const AttachmentSpec& at : ce.attachments)
      if (std::find(at.prefixes.begin(), at.prefixes.end(), prefix) != at.prefixes.end() && lab_.is_up(at.pe)) return attached(at);
    return attached(ce.attachments.front());
  }
  static std::string name(const Attached& a) { return fmt::format("VRF {} of {}", a.vrf->name, a.pe->name); }
  static std::string explain(const Prefix& prefix, const Attached& exporter, const RouterSpec& to) {
    return fmt::format("helioctl explain {} --rd {} --to {}", format_prefix(prefix), wire::format_rd(exporter.vrf->rd), wire::format_ip(to.loopback));
  }
  static std::string explain_peer(const IpAddress& address) { return "helioctl explain peer " + wire::format_ip(address); }

  // The RTs do not let it through although it is meant to.
  Cause plan(const PairResult& pair, const CeSpec& from, const CeSpec& to) {
    Attached importer = uplink(from), exporter = announcer(to, pair.prefix);
    for (const std::string& node : {from.name, to.name, importer.pe->name, exporter.pe->name})
      if (!lab_.is_up(node)) return {fmt::format("{} is down", node), "helioctl show peers", {}};
    if (exporter.vrf->export_targets.empty())
      return {fmt::format("{} (RD {}) exports no route target: its routes are not announced", name(exporter), wire::format_rd(exporter.vrf->rd)),
              explain(pair.prefix, exporter, *importer.pe), {}};
    if (importer.vrf->import_targets.empty())
      return {fmt::format("{} imports no route target", name(importer)), explain(pair.prefix, exporter, *importer.pe), {}};
    if (Expectation::imports(*importer.vrf, *exporter.vrf))
      if (auto cause = missing_session(pair, exporter, importer)) return *cause;
    if (Expectation::imports(*importer.vrf, *exporter.vrf))
      return {fmt::format("{} imports what {} exports, but the way between them leads elsewhere", name(importer), name(exporter)), explain(pair.prefix, exporter, *importer.pe), {}};
    Expectation expectation(t_, [&](std::string_view n) { return lab_.is_up(n); });
    if (importer.pe == exporter.pe && !importer.pe->accept_own && Expectation::imports(*importer.vrf, expectation.as_reflected(*exporter.vrf, *exporter.pe)))
      return {fmt::format("{} imports what the reflectors add to the routes of {}, but {} does not take its own routes back (accept-own)", name(importer), name(exporter), exporter.pe->name),
              explain(pair.prefix, exporter, *importer.pe), {}};
    std::string near;
    std::uint64_t suspect = exporter.vrf->export_targets.front();
    for (std::uint64_t e : exporter.vrf->export_targets)
      for (std::uint64_t i : importer.vrf->import_targets)
        if (std::string a = wire::format_rt(wire::RouteTarget{e}), b = wire::format_rt(wire::RouteTarget{i}); distance(a, b) <= 2 && a != b) {
          near = fmt::format("; {} and {} differ by a slip", a, b);
          suspect = e;
        }
    // Where the exporting PE knows memberships, a route that nobody asks for does not even come to the reflector.
    Prefix key = pair.prefix;
    key.rd = exporter.vrf->rd;
    Pe& far = *lab_.pe(static_cast<std::size_t>(exporter.pe - t_.routers.data()));
    bool was_sent = std::any_of(far.upstreams().begin(), far.upstreams().end(), [&](const auto& up) { return up->sent.contains(key); });
    return {fmt::format("route target mismatch: {} exports {}, {} imports {}{}", name(exporter), join(exporter.vrf->export_targets), name(importer), join(importer.vrf->import_targets), near),
            was_sent ? explain(pair.prefix, exporter, *importer.pe) : "helioctl explain rt " + wire::format_rt(wire::RouteTarget{suspect}), {}};
  }

  // A policy is the first thing to look at where a reflector keeps a route.
  std::string policies() const {
    std::string out;
    for (const ReflectorSpec& rr : t_.reflectors)
      for (const std::string& statement : rr.import_policy) out += fmt::format("{}{} of {}", out.empty() ? "; import policy: " : ", ", statement, rr.name);
    return out;
  }

  Cause leak(const PairResult& pair, const CeSpec& from, const CeSpec& to) {
    Attached importer = uplink(from), exporter = announcer(to, pair.prefix);
    for (std::uint64_t rt : exporter.vrf->export_targets)
      if (std::find(importer.vrf->import_targets.begin(), importer.vrf->import_targets.end(), rt) != importer.vrf->import_targets.end())
        return {fmt::format("route target leak: {} (customer {}) imports {}, which customer {} exports", name(importer), from.customer, wire::format_rt(wire::RouteTarget{rt}), to.customer),
                "helioctl explain rt " + wire::format_rt(wire::RouteTarget{rt}), {}};
    if (pair.is_planned) return {fmt::format("{} reaches {} over a VRF between them", from.name, to.name), explain(pair.prefix, exporter, *importer.pe), {}};
    return {fmt::format("isolation broken: packets of {} reach {} though no route target leads there", from.name, to.name), explain(pair.prefix, exporter, *importer.pe), {}};
  }

  std::optional<Cause> missing_session(const PairResult& pair, const Attached& exporter, const Attached& importer) const {
    wire::Family family = family_of(pair.prefix, true);
    for (const RouterSpec* pe : {exporter.pe, importer.pe}) {
      bool has_session = false, has_family = false;
      std::string trouble;
      const ReflectorSpec* without = nullptr;
      for (const Lab::Session& s : lab_.sessions()) {
        if (s.name_a != pe->name || t_.find_reflector(s.name_b) == nullptr) continue;
        if (!s.is_up()) {
          trouble = lab_.is_up(s.name_b) ? s.trouble() : s.name_b + " is down";
          without = t_.find_reflector(s.name_b);
          continue;
        }
        has_session = true;
        if (s.a->negotiated().agreed.families.contains(family)) has_family = true;
        else without = t_.find_reflector(s.name_b);
      }
      if (!has_session) return Cause{fmt::format("{} has no session with a reflector: {}", pe->name, trouble), explain_peer(pe->loopback), {}};
      if (!has_family) {
        bool pe_has_it = pe->families.contains(family);
        return Cause{fmt::format("family {} is not activated between {} and {}: {} does not offer it", wire::family_name(family), pe->name, without->name, pe_has_it ? without->name : pe->name),
                explain_peer(pe->loopback), {}};
      }
    }
    return std::nullopt;
  }

  // The RTs allow it: BGP did not carry the route, or forwarding failed.
  Cause distribution(const PairResult& pair, const CeSpec& from, const CeSpec& to) {
    Attached importer = uplink(from), exporter = announcer(to, pair.prefix);
    if (auto cause = missing_session(pair, exporter, importer)) return *cause;
    // It came out at another customer's site: that one's routes are where they do not belong.
    if (pair.walk.end == Walk::End::delivered && pair.walk.last >= t_.routers.size()) {
      const CeSpec& there = t_.ces[pair.walk.last - t_.routers.size()];
      if (!t_.is_intended(from, there) && &there != &from) return leak(pair, from, there);
    }
    Prefix key = pair.prefix;
    key.rd = exporter.vrf->rd;
    Pe& near = *lab_.pe(static_cast<std::size_t>(importer.pe - t_.routers.data()));
    Pe& far = *lab_.pe(static_cast<std::size_t>(exporter.pe - t_.routers.data()));
    if (!far.exports().contains(key)) return {fmt::format("{} does not have {} from {}", name(exporter), format_prefix(pair.prefix), to.name), explain(pair.prefix, exporter, *importer.pe), {}};
    bool was_sent = false, was_received = false;
    for (const auto& up : far.upstreams()) was_sent |= up->sent.contains(key);
    for (const auto& up : near.upstreams())
      for (const auto& [k, path] : up->received) was_received |= k.prefix == key;
    if (!was_sent) return {fmt::format("{} announced {} to no reflector: none asked for its route targets", exporter.pe->name, format_prefix(pair.prefix)), explain(pair.prefix, exporter, *importer.pe), {}};
    if (!was_received && importer.pe != exporter.pe)
      return {fmt::format("the reflectors did not pass the routes of {} (RD {}) on to {}{}", name(exporter), wire::format_rd(key.rd), importer.pe->name, policies()),
              explain(pair.prefix, exporter, *importer.pe), {}};
    return {fmt::format("{} to {}: the routes are there, the packet was {}", from.name, to.name, describe_end(lab_, pair.walk)), explain(pair.prefix, exporter, *importer.pe), {}};
  }

  Lab& lab_;
  const Topology& t_;
};

PairResult measure(Lab& lab, const Expectation& expectation, const SitePair& pair) {
  PairResult out;
  static_cast<SitePair&>(out) = pair;
  Expected expected = expectation.trace(out.from, out.destination);
  out.is_planned = expected.arrives.contains(out.to);
  out.walk = lab.send(out.from, out.source, out.destination);
  out.arrived = out.walk.end == Walk::End::delivered && out.walk.last == lab.node_of_ce(out.to);
  bool is_lost = out.walk.end != Walk::End::delivered;
  out.is_as_planned = is_lost ? out.walk.end != Walk::End::lost && (expected.arrives.empty() || expected.may_be_lost)
                              : std::any_of(expected.arrives.begin(), expected.arrives.end(), [&](std::size_t ce) { return lab.node_of_ce(ce) == out.walk.last; });
  using Grade = PairResult::Grade;
  if (out.arrived) out.grade = out.is_intended ? Grade::reached : Grade::leaked;
  else out.grade = out.is_intended ? Grade::unreached : Grade::isolated;
  return out;
}

}  // namespace

std::vector<SitePair> site_pairs(const Lab& lab) {
  const Topology& t = lab.topology();
  std::vector<SitePair> out;
  for (std::size_t from = 0; from < t.ces.size(); ++from)
    for (std::size_t to = 0; to < t.ces.size(); ++to) {
      if (from == to || !lab.is_up(t.ces[from].name) || !lab.is_up(t.ces[to].name)) continue;
      for (const Prefix& prefix : t.ces[to].prefixes) {
        SitePair pair{from, to, prefix, {}, first_host(prefix), t.is_intended(t.ces[from], t.ces[to])};
        bool has_source = false;
        for (const Prefix& own : t.ces[from].prefixes) {
          if (own.is_v6 != prefix.is_v6) continue;
          pair.source = first_host(own);
          has_source = true;
        }
        // A withdrawn prefix is nobody's any more.
        auto covers = [&](const Prefix& p) { return p.length <= prefix.length && contains(p, pair.destination); };
        bool is_announced = std::any_of(t.ces[to].attachments.begin(), t.ces[to].attachments.end(),
                                        [&](const AttachmentSpec& at) { return at.prefixes.empty() || std::any_of(at.prefixes.begin(), at.prefixes.end(), covers); });
        if (has_source && is_announced) out.push_back(pair);
      }
    }
  return out;
}

namespace {
// The message below its labels; it goes on along the label stack (RFC 3032 §2.3.2).
Bytes icmp_of(const Hop& hop) { return Bytes(hop.octets).subspan(hop.protocol == forwarding::Protocol::mpls ? hop.labels.size() * 4 : 0); }
}  // namespace

std::string describe_end(Lab& lab, const Walk& walk) {
  const std::string& at = lab.node(walk.last).name;
  switch (walk.end) {
    case Walk::End::delivered: return "delivered at " + at;
    case Walk::End::dropped: return fmt::format("dropped at {}: {}", at, forwarding::drop_name(walk.reason));
    case Walk::End::answered: {
      auto error = walk.reason == forwarding::Drop::too_big ? forwarding::icmp::read_error(icmp_of(walk.hops.back())) : std::nullopt;
      return fmt::format("answered by {} with ICMP: {}{}", at, forwarding::drop_name(walk.reason), error ? fmt::format(", {} octets would fit", error->mtu) : "");
    }
    case Walk::End::lost: return "still under way after 600 hops, at " + at;
  }
  return "";
}

PhaseVerdict judge(Lab& lab, const std::string& phase) {
  PhaseVerdict out;
  out.phase = phase;
  const Topology& t = lab.topology();
  Expectation expectation(t, [&](std::string_view n) { return lab.is_up(n); });
  Diagnosis diagnosis(lab);
  auto add = [&](Cause cause, std::size_t pair) {
    for (Cause& c : out.causes)
      if (c.text == cause.text) return c.pairs.push_back(pair);
    cause.pairs = {pair};
    out.causes.push_back(std::move(cause));
  };
  for (const SitePair& sites : site_pairs(lab)) {
    out.pairs.push_back(measure(lab, expectation, sites));
    PairResult& pair = out.pairs.back();
    const CeSpec &from = t.ces[pair.from], &to = t.ces[pair.to];
    bool is_wrong = pair.grade == PairResult::Grade::unreached || pair.grade == PairResult::Grade::leaked;
    if (is_wrong) {
      add(diagnosis.of(pair), out.pairs.size() - 1);
    } else if (!pair.is_as_planned && (pair.walk.end == Walk::End::delivered || pair.walk.end == Walk::End::lost)) {
      add({fmt::format("{} to {}: the RT plan and the packets disagree: {}", from.name, to.name, describe_end(lab, pair.walk)), "helioctl show routes", {}}, out.pairs.size() - 1);
    }
    // What goes between spokes passes the hub (RFC 4364 §4.3.5).
    const CustomerSpec* customer = t.find_customer(from.customer);
    if (pair.grade == PairResult::Grade::reached && customer != nullptr && !customer->hub.empty() && from.customer == to.customer) {
      auto hub = static_cast<std::size_t>(t.find_ce(customer->hub) - t.ces.data());
      bool passed = pair.from == hub || pair.to == hub || std::any_of(pair.walk.hops.begin(), pair.walk.hops.end(), [&](const Hop& h) { return h.node == lab.node_of_ce(hub); });
      if (!passed) add({fmt::format("{} reaches {} past the hub {}", from.name, to.name, customer->hub), "helioctl show rt", {}}, out.pairs.size() - 1);
    }
  }
  for (const Lab::Session& s : lab.sessions()) {
    auto node_of = [](const std::string& end) { return end.substr(0, end.find('/')); };
    if (!s.is_up() && lab.is_up(node_of(s.name_a)) && lab.is_up(node_of(s.name_b))) out.notes.push_back(fmt::format("session {} – {}: {}", s.name_a, s.name_b, s.trouble()));
  }
  return out;
}

std::vector<PhaseVerdict> run_phases(Lab& lab) {
  std::vector<PhaseVerdict> out;
  bool at_rest = lab.converge();
  out.push_back(judge(lab, "start"));
  out.back().is_at_rest = at_rest;
  const std::vector<PhaseSpec> phases = lab.topology().phases;
  for (const PhaseSpec& phase : phases) {
    lab.apply(phase);
    at_rest = lab.converge();
    out.push_back(judge(lab, phase.name));
    out.back().is_at_rest = at_rest;
  }
  return out;
}

}  // namespace helio::lab
