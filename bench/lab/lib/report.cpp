#include "bench/lab/lib/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "rib/forwarding/icmp.hpp"

namespace helio::lab {
namespace {

using Grade = PairResult::Grade;

std::string_view grade_name(Grade g) {
  switch (g) {
    case Grade::reached: return "reached";
    case Grade::isolated: return "isolated";
    case Grade::unreached: return "unreached";
    case Grade::leaked: return "leaked";
  }
  return "";
}

std::string labels_text(const Hop& hop, bool with_ttl) {
  std::string out;
  for (const forwarding::LabelEntry& e : hop.labels) out += fmt::format("{}{}{}", out.empty() ? "" : " ", e.label(), with_ttl ? fmt::format("/{}", e.ttl()) : "");
  return out;
}

// One line per CE, one column per CE; a cell for all prefixes of the column.
std::string matrix(Lab& lab, const PhaseVerdict& v, const char* title, const std::function<std::string(const std::vector<const PairResult*>&)>& cell) {
  const auto& ces = lab.topology().ces;
  std::size_t width = 6;
  for (const CeSpec& ce : ces) width = std::max(width, ce.name.size());
  std::string out = fmt::format("{}\n{:<{}}", title, "from \\ to", width + 2);
  for (const CeSpec& ce : ces) out += fmt::format(" {:>{}}", ce.name, std::max<std::size_t>(ce.name.size(), 5));
  out += '\n';
  for (std::size_t from = 0; from < ces.size(); ++from) {
    out += fmt::format("{:<{}}", ces[from].name, width + 2);
    for (std::size_t to = 0; to < ces.size(); ++to) {
      std::vector<const PairResult*> pairs;
      for (const PairResult& p : v.pairs)
        if (p.from == from && p.to == to) pairs.push_back(&p);
      out += fmt::format(" {:>{}}", from == to ? "" : pairs.empty() ? "-" : cell(pairs), std::max<std::size_t>(ces[to].name.size(), 5));
    }
    out += '\n';
  }
  return out;
}

}  // namespace

std::string format_path(Lab& lab, const Walk& walk) {
  std::string out;
  for (std::size_t i = 0; i < walk.hops.size(); ++i) {
    const Hop& hop = walk.hops[i];
    out += lab.node(hop.node).name;
    if (i + 1 == walk.hops.size()) break;
    out += hop.labels.empty() ? " → " : fmt::format(" [{}{}]→ ", hop.protocol == forwarding::Protocol::ipv4 ? "GRE/IP " : "", labels_text(hop, false));
  }
  return out;
}

std::string format_phase(Lab& lab, const PhaseVerdict& v, bool with_paths) {
  const auto& ces = lab.topology().ces;
  std::string out = fmt::format("== {} ==\n\n", v.phase);
  if (!v.is_at_rest) out += "BGP does not come to rest\n\n";
  out += matrix(lab, v, "Reachability: packets that arrived", [](const auto& pairs) {
    std::size_t wanted = 0, arrived = 0;
    for (const PairResult* p : pairs) {
      wanted += p->is_intended;
      arrived += p->arrived && p->is_intended;
    }
    if (wanted == 0) return std::string(".");
    return arrived == wanted ? std::string("yes") : arrived == 0 ? std::string("NO") : fmt::format("{}/{}", arrived, wanted);
  });
  out += '\n';
  out += matrix(lab, v, "Isolation: packets that must not arrive", [](const auto& pairs) {
    std::size_t forbidden = 0, leaked = 0;
    for (const PairResult* p : pairs) {
      forbidden += !p->is_intended;
      leaked += p->grade == Grade::leaked;
    }
    if (forbidden == 0) return std::string(".");
    return leaked == 0 ? std::string("kept") : std::string("LEAK");
  });
  if (with_paths) {
    out += "\nPaths\n";
    for (const PairResult& p : v.pairs)
      out += fmt::format("  {} to {} {}: {}: {}{}\n", ces[p.from].name, ces[p.to].name, wire::format_ip(p.destination), grade_name(p.grade), format_path(lab, p.walk),
                         p.walk.end == Walk::End::delivered ? "" : "; " + describe_end(lab, p.walk));
  }
  out += '\n';
  for (const Cause& c : v.causes) {
    out += fmt::format("FAULT {}\n", c.text);
    std::string pairs;
    for (std::size_t i = 0; i < c.pairs.size() && i < 4; ++i) pairs += fmt::format("{}{} to {}", i == 0 ? "" : ", ", ces[v.pairs[c.pairs[i]].from].name, ces[v.pairs[c.pairs[i]].to].name);
    if (c.pairs.size() > 4) pairs += fmt::format(" and {} more", c.pairs.size() - 4);
    out += fmt::format("      concerns: {}\n      shown by: {}\n", pairs, c.command);
    for (const auto& [reflector, text] : c.answers) out += fmt::format("\n{}$ {}\n{}\n", reflector, c.command, text);
  }
  for (const std::string& note : v.notes) out += fmt::format("note  {}\n", note);
  if (!v.causes.empty() || !v.notes.empty()) out += '\n';
  return out;
}

std::string format_summary(const Topology& topology, const std::vector<PhaseVerdict>& phases) {
  std::size_t wanted = 0, reached = 0, forbidden = 0, leaked = 0;
  bool good = true;
  for (const PhaseVerdict& v : phases) {
    good = good && v.is_good();
    for (const PairResult& p : v.pairs) {
      wanted += p.is_intended;
      reached += p.grade == Grade::reached;
      forbidden += !p.is_intended;
      leaked += p.grade == Grade::leaked;
    }
  }
  return fmt::format("{}: {} of {} packets reached their site, {} of {} were kept out of other customers' sites: {}\n", topology.name, reached, wanted, forbidden - leaked, forbidden,
                     good ? "good" : "NOT good");
}

std::string to_json(Lab& lab, const std::vector<PhaseVerdict>& phases) {
  namespace json = boost::json;
  const auto& ces = lab.topology().ces;
  json::array all;
  bool good = true;
  for (const PhaseVerdict& v : phases) {
    good = good && v.is_good();
    json::array pairs, causes, notes;
    for (const PairResult& p : v.pairs) {
      json::array path;
      for (const Hop& h : p.walk.hops) {
        json::array labels;
        for (const auto& e : h.labels) labels.push_back({{"label", e.label()}, {"tc", e.traffic_class()}, {"ttl", e.ttl()}});
        path.push_back({{"node", lab.node(h.node).name}, {"labels", labels}, {"ip_ttl", h.ttl}});
      }
      pairs.push_back({{"from", ces[p.from].name},
                       {"to", ces[p.to].name},
                       {"prefix", format_prefix(p.prefix)},
                       {"source", wire::format_ip(p.source)},
                       {"destination", wire::format_ip(p.destination)},
                       {"intended", p.is_intended},
                       {"planned", p.is_planned},
                       {"arrived", p.arrived},
                       {"result", json::string(grade_name(p.grade))},
                       {"end", describe_end(lab, p.walk)},
                       {"path", path}});
    }
    for (const Cause& c : v.causes) {
      json::array concerns;
      for (std::size_t i : c.pairs) concerns.push_back({{"from", ces[v.pairs[i].from].name}, {"to", ces[v.pairs[i].to].name}});
      json::object answers;
      for (const auto& [reflector, text] : c.answers) answers[reflector] = text;
      causes.push_back({{"cause", c.text}, {"command", c.command}, {"pairs", concerns}, {"answers", answers}});
    }
    for (const std::string& n : v.notes) notes.push_back(json::string(n));
    all.push_back({{"phase", v.phase}, {"converged", v.is_at_rest}, {"good", v.is_good()}, {"pairs", pairs}, {"causes", causes}, {"notes", notes}});
  }
  return json::serialize(json::object{{"topology", lab.topology().name}, {"good", good}, {"phases", all}}) + "\n";
}

namespace {
// A line per node; then what was cut off on the way, indented, from the node after that.
void append_hops(Lab& lab, const Walk& walk, std::size_t depth, std::string& out) {
  for (const Hop& h : walk.hops) out += fmt::format("{:<16} {:>6} {:>6} {}\n", std::string(depth * 2, ' ') + lab.node(h.node).name, h.octets.size(), h.ttl, labels_text(h, true));
  for (const Walk& piece : walk.fragments) {
    out += fmt::format("{}a fragment of it, {}:\n", std::string(depth * 2 + 2, ' '), describe_end(lab, piece));
    append_hops(lab, piece, depth + 2, out);
  }
}
}  // namespace

std::string format_trace(Lab& lab, std::size_t from, const IpAddress& source, const IpAddress& destination, std::size_t size, bool may_not_fragment) {
  Walk walk = lab.send(from, source, destination, 64, size, may_not_fragment);
  std::string out = fmt::format("{} to {}: {}\n\n", wire::format_ip(source), wire::format_ip(destination), describe_end(lab, walk));
  out += fmt::format("{:<16} {:>6} {:>6} {}\n", "node", "octets", "ip ttl", "labels as sent on (label/ttl, the top first)");
  append_hops(lab, walk, 0, out);
  out += "\nWhat traceroute shows (labels by RFC 4950)\n";
  for (std::uint8_t ttl = 1; ttl <= 30; ++ttl) {
    forwarding::Packet packet(forwarding::icmp::make_echo_request(source, destination, 1, ttl, 32, ttl), destination.is_v6 ? forwarding::Protocol::ipv6 : forwarding::Protocol::ipv4);
    Walk probe = lab.walk(lab.node_of_ce(from), packet, std::nullopt, true);
    if (probe.end == Walk::End::delivered && probe.last != lab.node_of_ce(from)) {
      out += fmt::format("{:>2}  {}  {}\n", ttl, wire::format_ip(destination), lab.node(probe.last).name);
      break;
    }
    auto error = probe.end == Walk::End::delivered ? forwarding::icmp::read_error(packet.view()) : std::nullopt;
    if (!error) {
      out += fmt::format("{:>2}  *\n", ttl);
      if (probe.end != Walk::End::delivered && ttl > walk.hops.size()) break;
      continue;
    }
    IpAddress who;
    who.is_v6 = destination.is_v6;
    std::memcpy(who.bytes.data(), packet.data() + (who.is_v6 ? 8 : 12), who.is_v6 ? 16 : 4);
    out += fmt::format("{:>2}  {}", ttl, wire::format_ip(who));
    for (const auto& e : error->labels) out += fmt::format(" [MPLS: Label {} TTL {}]", e.label(), e.ttl());
    out += '\n';
    if (error->error != forwarding::icmp::Error::time_exceeded) break;
  }
  return out;
}

}  // namespace helio::lab
