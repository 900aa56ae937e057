// Every topology of configs/lab: the good ones are good, each deliberate fault is named together with the command that
// shows it; and what the topologies are about is looked at packet by packet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "bench/lab/lib/picture.hpp"
#include "bench/lab/lib/report.hpp"

namespace helio::lab {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Topology load(const std::string& name) {
  auto t = load_topology(std::string(HELIO_SOURCE_DIR) + "/configs/lab/" + name + ".toml");
  if (!t) throw std::runtime_error(config::format_problem(t.error().front()));
  return *t;
}
std::size_t ce_of(const Topology& t, const std::string& name) { return static_cast<std::size_t>(t.find_ce(name) - t.ces.data()); }

struct Fault {
  const char* topology;
  std::vector<std::pair<const char*, const char*>> causes;  // parts of text and command
};
const std::vector<Fault>& faults() {
  static const std::vector<Fault> kFaults = {
      {"fault-rt-mismatch",
       {{"route target mismatch: VRF acme of dallas exports 65000:11, VRF acme of chicago imports 65000:1; 65000:11 and 65000:1 differ by a slip", "helioctl explain rt 65000:11"},
        {"VRF acme of atlanta imports 65000:1", "helioctl explain rt 65000:11"}}},
      {"fault-no-export", {{"VRF acme of dallas (RD 65000:102) exports no route target", "helioctl explain 10.0.1.0/24 --rd 65000:102"}}},
      {"fault-family", {{"family l3vpn-ipv6-unicast is not activated between dallas and rr1: dallas does not offer it", "helioctl explain peer 10.255.0.3"}}},
      {"fault-rt-leak", {{"route target leak: VRF globex of dallas (customer globex) imports 65000:1, which customer acme exports", "helioctl explain rt 65000:1"}}},
      {"fault-policy", {{"the reflectors did not pass the routes of VRF acme of dallas (RD 65000:102) on to chicago; import policy: drop-old of rr1", "helioctl explain 10.0.1.0/24 --rd 65000:102"}}},
      {"fault-wrong-as", {{"dallas has no session with a reflector: dallas received: OPEN Message Error/Bad Peer AS", "helioctl explain peer 10.255.0.3"}}},
  };
  return kFaults;
}

TEST(Topologies, EveryFileIsAsItSays) {
  std::size_t seen = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(HELIO_SOURCE_DIR) + "/configs/lab")) {
    if (file.path().extension() != ".toml") continue;
    std::string name = file.path().stem();
    SCOPED_TRACE(name);
    ++seen;
    Topology t = load(name);
    EXPECT_EQ(t.name, name);
    for (std::uint32_t shards : {1u, 3u}) {
      Lab lab(t, shards);
      std::vector<PhaseVerdict> phases = run_phases(lab);
      auto fault = std::find_if(faults().begin(), faults().end(), [&](const Fault& f) { return f.topology == name; });
      EXPECT_EQ(name.starts_with("fault-"), fault != faults().end());
      if (fault == faults().end()) {
        for (const PhaseVerdict& v : phases) EXPECT_TRUE(v.is_good()) << format_phase(lab, v, true);
        continue;
      }
      EXPECT_FALSE(phases.front().is_good());
      for (const auto& [text, command] : fault->causes)
        EXPECT_TRUE(std::any_of(phases.front().causes.begin(), phases.front().causes.end(), [&, text = text, command = command](const Cause& c) {
          return c.text.find(text) != std::string::npos && c.command.find(command) != std::string::npos;
        })) << text << '\n' << format_phase(lab, phases.front(), false);
    }
  }
  EXPECT_GE(seen, 17u);
}

TEST(Topologies, OneCauseOneFault) {
  for (const char* name : {"fault-no-export", "fault-family", "fault-rt-leak", "fault-wrong-as"}) {
    Lab lab(load(name));
    EXPECT_EQ(run_phases(lab).front().causes.size(), 1u) << name;
  }
}

// The labels of a packet from one site to another, node by node: "chicago:16302 26001".
std::vector<std::string> way(Lab& lab, const std::string& from, const std::string& to, bool with_ttl = false) {
  const Topology& t = lab.topology();
  const CeSpec &a = *t.find_ce(from), &b = *t.find_ce(to);
  Walk walk = lab.send(ce_of(t, from), first_host(a.prefixes.front()), first_host(b.prefixes.front()));
  std::vector<std::string> out;
  for (const Hop& h : walk.hops) {
    std::string labels;
    for (const auto& e : h.labels) labels += (labels.empty() ? ":" : " ") + std::to_string(e.label()) + (with_ttl ? "/" + std::to_string(e.ttl()) : "");
    out.push_back(lab.node(h.node).name + labels);
  }
  return out;
}
std::string joined(const std::vector<std::string>& hops) {
  std::string out;
  for (const std::string& h : hops) out += (out.empty() ? "" : " > ") + h;
  return out;
}

TEST(Labels, TwoCustomers) {
  Lab lab(load("two-customers"));
  ASSERT_TRUE(lab.converge());
  // LDP labels: two of the core and the VPN's; the penultimate router pops (RFC 3031 §3.16); one TTL (RFC 3443).
  EXPECT_EQ(joined(way(lab, "acme-chicago", "acme-atlanta", true)), "acme-chicago > chicago:16302/63 26001/63 > p1:16402/62 26001/63 > p2:26001/61 > atlanta > acme-atlanta");
  // Labels per prefix in Atlanta: IPv6 has another one.
  Walk walk = lab.send(ce_of(lab.topology(), "acme-chicago"), *wire::parse_ip("2001:db8:a::1"), *wire::parse_ip("2001:db8:a:2::1"));
  EXPECT_EQ(walk.end, Walk::End::delivered);
  EXPECT_EQ(walk.hops[1].labels.back().label(), 26002u);
}

TEST(Labels, InterAsOptions) {
  {
    Lab lab(load("inter-as-a"));
    lab.converge();
    EXPECT_EQ(joined(way(lab, "acme-chicago", "acme-atlanta")), "acme-chicago > chicago:16401 25001 > p1:25001 > asbr1 > asbr2:16503 27001 > p2:27001 > atlanta > acme-atlanta");  // IP on the border
  }
  {
    Lab lab(load("inter-as-b"));
    lab.converge();
    std::vector<std::string> hops = way(lab, "acme-chicago", "acme-atlanta");
    ASSERT_EQ(hops.size(), 8u);
    EXPECT_THAT(hops[3], HasSubstr("asbr1:26"));  // one label on the border: that of the far ASBR
    EXPECT_EQ(std::count(hops[3].begin(), hops[3].end(), ' '), 0);
    EXPECT_THAT(hops[4], HasSubstr("asbr2:16"));
  }
  {
    Lab lab(load("inter-as-c"));
    lab.converge();
    std::vector<std::string> hops = way(lab, "acme-chicago", "acme-atlanta");
    EXPECT_EQ(joined(hops), "acme-chicago > chicago:16401 201003 27001 > p1:201003 27001 > asbr1:202003 27001 > asbr2:16503 27001 > p2:27001 > atlanta > acme-atlanta");
  }
}

TEST(Labels, GreCore) {  // RFC 4023: no label table entry in the core, the VPN label inside GRE all the way
  Lab lab(load("gre-core"));
  lab.converge();
  std::vector<std::string> hops = way(lab, "acme-chicago", "acme-atlanta");
  EXPECT_EQ(joined(hops), "acme-chicago > chicago:26001 > p1:26001 > p2:26001 > atlanta > acme-atlanta");
  for (std::size_t i = 0; i < lab.topology().routers.size(); ++i)
    EXPECT_EQ(lab.node(i).label_count() == 0, !lab.topology().routers[i].is_pe);
}

TEST(Labels, SegmentRoutingWithEntropy) {
  Lab lab(load("sr-entropy"));
  lab.converge();
  std::vector<std::string> hops = way(lab, "acme-chicago", "acme-atlanta", true);
  EXPECT_THAT(hops[1], HasSubstr("chicago:16002/255 7/255 "));  // node SID, ELI, entropy label, VPN label
  EXPECT_THAT(hops[1], HasSubstr(" 26001/255"));
  EXPECT_THAT(hops[2], HasSubstr("p1:16002/254 "));             // the same SID everywhere
  EXPECT_THAT(hops[3], HasSubstr("p2:0/253 "));                 // explicit null
}

TEST(Labels, HubAndSpokePassesTheHub) {  // RFC 4364 §4.3.5
  Lab lab(load("hub-and-spoke"));
  lab.converge();
  std::string path = joined(way(lab, "acme-dallas", "acme-atlanta"));
  EXPECT_THAT(path, HasSubstr("chicago > acme-hub > chicago:"));
}

TEST(Trace, ShowsLabelsAsTracerouteWould) {
  Lab lab(load("two-customers"));
  lab.converge();
  std::string text = format_trace(lab, ce_of(lab.topology(), "acme-chicago"), *wire::parse_ip("10.0.0.1"), *wire::parse_ip("10.0.2.1"));
  EXPECT_THAT(text, AllOf(HasSubstr("delivered at acme-atlanta"), HasSubstr(" 2  172.16.0.2 [MPLS: Label 16302 TTL 1] [MPLS: Label 26001 TTL 1]"), HasSubstr(" 5  10.0.2.1  acme-atlanta")));
  // Pipe: the core is one hop (RFC 3443 §3.2).
  Lab pipe(load("sr-entropy"));
  pipe.converge();
  text = format_trace(pipe, ce_of(pipe.topology(), "acme-chicago"), *wire::parse_ip("10.0.0.1"), *wire::parse_ip("10.0.2.1"));
  EXPECT_THAT(text, HasSubstr(" 3  10.0.2.1  acme-atlanta"));
}

TEST(Trace, FragmentsAndWhatWouldFit) {  // RFC 791 §3.2, RFC 1191 §4, RFC 3032 §3.4
  Lab lab(load("small-mtu"));
  lab.converge();
  std::size_t from = ce_of(lab.topology(), "acme-chicago"), to = ce_of(lab.topology(), "acme-atlanta");
  IpAddress source = *wire::parse_ip("10.0.0.1"), destination = *wire::parse_ip("10.0.2.1");
  Walk walk = lab.send(from, source, destination, 64, 1472);  // 1500 octets: too big for chicago with two labels, and its first piece for p1
  EXPECT_EQ(walk.end, Walk::End::delivered);
  EXPECT_EQ(walk.last, lab.node_of_ce(to));
  ASSERT_EQ(walk.fragments.size(), 2u);
  for (const Walk& piece : walk.fragments) EXPECT_EQ(piece.last, lab.node_of_ce(to));
  EXPECT_EQ(lab.node(walk.fragments[0].hops[0].node).name, "p1");  // cut by chicago
  EXPECT_EQ(lab.node(walk.fragments[1].hops[0].node).name, "p2");  // cut by p1
  std::string text = format_trace(lab, from, source, destination, 1400, true);
  EXPECT_THAT(text, HasSubstr("answered by p1 with ICMP: too-big, 1392 octets would fit"));
  text = format_trace(lab, from, *wire::parse_ip("2001:db8:a::1"), *wire::parse_ip("2001:db8:a:2::1"), 1400);
  EXPECT_THAT(text, HasSubstr("answered by p1 with ICMP: too-big, 1392 octets would fit"));
  text = format_trace(lab, from, source, destination, 3000);
  EXPECT_THAT(text, AllOf(HasSubstr("delivered at acme-atlanta"), HasSubstr("  a fragment of it, delivered at acme-atlanta:")));
}

TEST(Reports, JsonAndPicture) {
  Lab lab(load("fault-rt-leak"));
  std::vector<PhaseVerdict> phases = run_phases(lab);
  std::string json = to_json(lab, phases);
  EXPECT_THAT(json, AllOf(HasSubstr("\"good\":false"), HasSubstr("\"result\":\"leaked\""), HasSubstr("\"command\":\"helioctl explain rt 65000:1\"")));
  Walk walk = lab.send(0, *wire::parse_ip("10.0.0.1"), *wire::parse_ip("10.0.2.1"));
  std::string svg = draw_topology(lab, &walk, "a < b");
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("acme-chicago"), HasSubstr("26001"), HasSubstr("a &lt; b"), HasSubstr("</svg>")));
}

TEST(AcceptOwn, OnlyWithTheCommunityAndNotIntoTheSourceVrf) {  // RFC 7611 §2.1, §2.2
  Topology t = load("accept-own");
  {
    Lab lab(t);
    ASSERT_TRUE(lab.converge());
    // Straight to the site: no label, no core.
    EXPECT_EQ(joined(way(lab, "acme-dallas", "service")), "acme-dallas > dallas > service");
  }
  for (RouterSpec& r : t.routers) r.accept_own = false;
  Lab without(t);
  ASSERT_TRUE(without.converge());
  PhaseVerdict v = judge(without, "without");
  ASSERT_EQ(v.causes.size(), 2u);
  EXPECT_THAT(v.causes[0].text, HasSubstr("dallas does not take its own routes back (accept-own)"));
  EXPECT_THAT(v.causes[0].command, HasSubstr("helioctl explain 192.168.9.0/24 --rd 65000:302"));
  // The source VRF imports its own target and does not get its route a second time: withdrawn is withdrawn.
  Topology again = load("accept-own");
  for (RouterSpec& r : again.routers)
    for (VrfSpec& vrf : r.vrfs)
      if (vrf.name == "service") vrf.import_targets.push_back(vrf.export_targets[0]);
  Lab lab(again);
  ASSERT_TRUE(lab.converge());
  EXPECT_TRUE(judge(lab, "start").is_good());
  lab.set_announced("service", again.find_ce("service")->prefixes[0], false);
  ASSERT_TRUE(lab.converge());
  EXPECT_EQ(lab.send(ce_of(again, "acme-dallas"), *wire::parse_ip("10.0.1.1"), *wire::parse_ip("192.168.9.1")).end, Walk::End::answered);
}

// Whatever the topology, no label stack lies over a node or another stack, and all of them are inside the picture.
TEST(Reports, PicturesHaveNoOverlaps) {
  static const std::regex kRect("<rect x=\"([-0-9.]+)\" y=\"([-0-9.]+)\" width=\"([0-9.]+)\" height=\"(17|40)\"");
  struct Box {
    double x, y, width, height;
  };
  for (const auto& file : std::filesystem::directory_iterator(std::string(HELIO_SOURCE_DIR) + "/configs/lab")) {
    Topology t = load(file.path().stem());
    Lab lab(t);
    lab.converge();
    for (const SitePair& pair : site_pairs(lab)) {
      Walk walk = lab.send(pair.from, pair.source, pair.destination);
      if (walk.end != Walk::End::delivered) continue;
      SCOPED_TRACE(t.name + ": " + t.ces[pair.from].name + " to " + t.ces[pair.to].name);
      std::string svg = draw_topology(lab, &walk, "");
      std::vector<Box> boxes;
      for (std::sregex_iterator at(svg.begin(), svg.end(), kRect), end; at != end; ++at) boxes.push_back({std::stod((*at)[1]), std::stod((*at)[2]), std::stod((*at)[3]), std::stod((*at)[4])});
      ASSERT_GE(boxes.size(), t.ces.size() + t.routers.size());
      for (std::size_t i = 0; i < boxes.size(); ++i) {
        const Box& a = boxes[i];
        EXPECT_TRUE(a.x >= 0 && a.y >= 0 && a.x + a.width <= 1000 && a.y + a.height <= 600);
        for (std::size_t j = i + 1; j < boxes.size(); ++j) {  // rows of one stack touch
          const Box& b = boxes[j];
          constexpr double kTouch = 0.2;
          EXPECT_FALSE(a.x + kTouch < b.x + b.width && b.x + kTouch < a.x + a.width && a.y + kTouch < b.y + b.height && b.y + kTouch < a.y + a.height)
              << a.x << ',' << a.y << ' ' << a.width << 'x' << a.height << " and " << b.x << ',' << b.y << ' ' << b.width << 'x' << b.height;
        }
      }
    }
  }
}

TEST(Faults, SilenceOfAReflectorIsNoticed) {  // the verdict does not depend on BGP being right
  Topology t = load("two-customers");
  Lab lab(t);
  lab.converge();
  lab.set_node("rr1", false);
  ASSERT_TRUE(lab.converge());
  PhaseVerdict v = judge(lab, "down");
  EXPECT_FALSE(v.is_good());
  ASSERT_FALSE(v.causes.empty());
  EXPECT_THAT(v.causes.front().text, HasSubstr("has no session with a reflector: rr1 is down"));
  lab.set_node("rr1", true);
  ASSERT_TRUE(lab.converge());
  EXPECT_TRUE(judge(lab, "up").is_good());
}

}  // namespace
}  // namespace helio::lab
