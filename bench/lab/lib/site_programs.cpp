#include "bench/lab/lib/site_programs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <deque>

namespace helio::lab {
namespace {

namespace json = boost::json;

constexpr std::size_t kAtOnce = 12;
constexpr int kServerPatience = 5000;  // milliseconds until iperf3 listens

std::vector<std::string> in_site(const Namespaces& namespaces, std::size_t ce, std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"ip", "netns", "exec", namespaces.name_of(ce)});
  return argv;
}

// iperf3's report: octets that the server received.
void read_report(const ProgramResult& result, StreamResult& out) {
  std::error_code code;
  json::value report = json::parse(result.text, code);
  if (!code && report.is_object()) {
    if (auto* error = report.as_object().if_contains("error"); error != nullptr && error->is_string()) out.error = std::string(error->as_string());
    if (auto* received = report.find_pointer("/end/sum_received", code); received != nullptr && out.error.empty()) {
      out.bytes = received->at("bytes").to_number<std::uint64_t>();
      out.bits_per_second = received->at("bits_per_second").to_number<double>();
    }
  }
  if (out.error.empty() && result.status != 0) out.error = fmt::format("iperf3 ended with status {}", result.status);
  out.was_carried = out.error.empty() && out.bytes > 0;
}

StreamResult stream(const Namespaces& namespaces, const SitePair& pair) {
  StreamResult out;
  static_cast<SitePair&>(out) = pair;
  read_report(output_of(in_site(namespaces, pair.from, {"iperf3", "-c", wire::format_ip(pair.destination), "-B", wire::format_ip(pair.source), "-t", "1", "-J", "--connect-timeout", "1500"})), out);
  return out;
}

}  // namespace

bool SitesVerdict::is_good() const {
  auto good = [](const auto& r) { return r.is_good(); };
  return is_at_rest && std::all_of(pings.begin(), pings.end(), good) && std::all_of(streams.begin(), streams.end(), good);
}

std::vector<PingResult> ping_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals) {
  std::vector<PingResult> out;
  for (const SitePair& pair : site_pairs(lab)) out.push_back({pair});
  std::deque<std::pair<std::size_t, Program>> running;
  auto end_first = [&] {
    auto& [i, program] = running.front();
    out[i].answered = program.wait() == 0;
    running.pop_front();
    lab.send_keepalives();
  };
  for (std::size_t i = 0; i < out.size(); ++i) {
    signals.check();
    const PingResult& p = out[i];
    running.emplace_back(i, Program(in_site(namespaces, p.from, {"ping", p.destination.is_v6 ? "-6" : "-4", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-I", wire::format_ip(p.source), wire::format_ip(p.destination)})));
    if (running.size() >= kAtOnce) end_first();
  }
  while (!running.empty()) {
    signals.check();
    end_first();
  }
  for (PingResult& p : out) p.arrived = namespaces.has_arrived(p.from, p.destination, p.to);
  return out;
}

std::vector<StreamResult> stream_all(Lab& lab, Namespaces& namespaces, SignalGuard& signals) {
  std::vector<StreamResult> out;
  std::vector<SitePair> pairs = site_pairs(lab);
  const std::vector<CeSpec>& ces = lab.topology().ces;
  for (const CustomerSpec& customer : lab.topology().customers) {
    auto wanted = std::find_if(pairs.begin(), pairs.end(), [&](const SitePair& p) { return p.is_intended && ces[p.from].customer == customer.name && ces[p.to].customer == customer.name; });
    if (wanted == pairs.end()) continue;
    signals.check();
    Program server(in_site(namespaces, wanted->to, {"iperf3", "-s", "--forceflush", "-B", wire::format_ip(wanted->destination)}), Program::Output::kept);
    if (std::string text; !server.read_until(text, "listening", kServerPatience)) {
      if (server.poll() == std::optional(Program::kNotFound) || text.find("No such file") != std::string::npos) throw std::runtime_error("iperf3 is not there (Debian package iperf3)");
      throw std::runtime_error(fmt::format("iperf3 at {} does not listen: {}", ces[wanted->to].name, text));
    }
    out.push_back(stream(namespaces, *wanted));
    // One of each other customer tries too; with the same address at a site of its own it finds no server there.
    std::set<std::string> tried;
    for (const SitePair& p : pairs) {
      if (p.to != wanted->to || p.prefix != wanted->prefix || p.is_intended || !tried.insert(ces[p.from].customer).second) continue;
      signals.check();
      out.push_back(stream(namespaces, p));
    }
    lab.send_keepalives();
  }
  return out;
}

std::vector<SitesVerdict> run_site_phases(Lab& lab, Namespaces& namespaces, SignalGuard& signals, bool with_streams, const std::function<void(const SitesVerdict&)>& report) {
  std::vector<SitesVerdict> out;
  bool is_at_rest = true;
  auto measure = [&](const std::string& phase) {
    namespaces.start();
    SitesVerdict v;
    v.phase = phase;
    v.is_at_rest = is_at_rest;
    v.pings = ping_all(lab, namespaces, signals);
    if (with_streams) v.streams = stream_all(lab, namespaces, signals);
    report(v);
    out.push_back(std::move(v));
  };
  measure("start");
  const std::vector<PhaseSpec> phases = lab.topology().phases;
  for (const PhaseSpec& phase : phases) {
    namespaces.stop();
    lab.apply(phase);
    is_at_rest = lab.converge();
    namespaces.refresh();
    measure(phase.name);
  }
  return out;
}

std::string format_sites(const Topology& topology, const SitesVerdict& v) {
  std::string out = fmt::format("== {} ==\n", v.phase);
  if (!v.is_at_rest) out += "BGP does not come to rest\n";
  auto name = [&](std::size_t ce) { return topology.ces[ce].name; };
  std::size_t wanted = 0, answered = 0, forbidden = 0, kept = 0;
  for (const PingResult& p : v.pings) {
    (p.is_intended ? wanted : forbidden)++;
    if (p.is_good()) ++(p.is_intended ? answered : kept);
    else
      out += fmt::format("FAULT ping from {} to {} ({}): {}\n", name(p.from), name(p.to), wire::format_ip(p.destination),
                         !p.is_intended ? "arrived at another customer's site" : p.arrived ? "arrived, no answer came back" : "did not arrive");
  }
  out += fmt::format("ping: {} of {} between sites that are meant to reach each other were answered, {} of {} others came out nowhere near\n", answered, wanted, kept, forbidden);
  for (const StreamResult& s : v.streams)
    out += fmt::format("{}iperf3 from {} to {} ({}): {}\n", s.is_good() ? "" : "FAULT ", name(s.from), name(s.to), wire::format_ip(s.destination),
                       s.was_carried ? fmt::format("{:.1f} MB, {:.0f} Mbit/s{}", static_cast<double>(s.bytes) / 1e6, s.bits_per_second / 1e6, s.is_intended ? "" : ", to another customer's site")
                                     : fmt::format("{}{}", s.is_intended ? "" : "kept out: ", s.error));
  return out;
}

std::string format_sites_summary(const std::vector<SitesVerdict>& phases) {
  bool good = std::all_of(phases.begin(), phases.end(), [](const SitesVerdict& v) { return v.is_good(); });
  return fmt::format("namespaces: {} phase{}: {}\n", phases.size(), phases.size() == 1 ? "" : "s", good ? "good" : "NOT good");
}

std::string sites_to_json(const Topology& topology, const std::vector<SitesVerdict>& phases) {
  json::array all;
  bool good = true;
  auto sites = [&](const SitePair& p) {
    return json::object{{"from", topology.ces[p.from].name}, {"to", topology.ces[p.to].name}, {"source", wire::format_ip(p.source)}, {"destination", wire::format_ip(p.destination)}, {"intended", p.is_intended}};
  };
  for (const SitesVerdict& v : phases) {
    good = good && v.is_good();
    json::array pings, streams;
    for (const PingResult& p : v.pings) {
      json::object o = sites(p);
      o["arrived"] = p.arrived;
      o["answered"] = p.answered;
      pings.push_back(std::move(o));
    }
    for (const StreamResult& s : v.streams) {
      json::object o = sites(s);
      o["bytes"] = s.bytes;
      o["bits_per_second"] = s.bits_per_second;
      if (!s.error.empty()) o["error"] = s.error;
      streams.push_back(std::move(o));
    }
    all.push_back({{"phase", v.phase}, {"converged", v.is_at_rest}, {"good", v.is_good()}, {"pings", pings}, {"streams", streams}});
  }
  return json::serialize(json::object{{"topology", topology.name}, {"good", good}, {"phases", all}}) + "\n";
}

}  // namespace helio::lab
