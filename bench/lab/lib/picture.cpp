#include "bench/lab/lib/picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace helio::lab {
namespace {

constexpr double kWidth = 1000, kHeight = 600;
constexpr const char* kInk = "#22313f";
constexpr const char* kFaint = "#9aa7b2";
constexpr const char* kPath = "#c8502d";
constexpr const char* kCustomerColours[] = {"#2d6fc8", "#3a9a55", "#8a4fbf", "#b5832a", "#2a9aa8", "#b0406a"};

struct Point {
  double x = 0, y = 0;
};
struct Rect {
  double x = 0, y = 0, width = 0, height = 0;
  bool overlaps(const Rect& o, double margin) const {
    return x < o.x + o.width + margin && o.x < x + width + margin && y < o.y + o.height + margin && o.y < y + height + margin;
  }
  bool holds(Point p) const { return p.x >= x && p.x <= x + width && p.y >= y && p.y <= y + height; }
};

std::string escape(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

// Where nodes stand: as the file says (per cent of the picture), else PEs on an ellipse, P routers inside, CEs outside
// beside their first PE, reflectors in a row on top.
class Layout {
 public:
  explicit Layout(const Topology& t) : t_(t) {
    std::vector<std::string> pes, ps;
    for (const RouterSpec& r : t.routers) (r.is_pe ? pes : ps).push_back(r.name);
    place_ring(pes, 255, 150);
    place_ring(ps, pes.empty() ? 255 : 95, pes.empty() ? 150 : 55);
    for (std::size_t i = 0; i < t.reflectors.size(); ++i)
      set(t.reflectors[i].name, {kWidth * static_cast<double>(i + 1) / static_cast<double>(t.reflectors.size() + 1), 70});
    std::map<std::string, int> on_pe, seen;
    for (const CeSpec& ce : t.ces) ++on_pe[ce.attachments.front().pe];
    for (const CeSpec& ce : t.ces) {
      const std::string& pe = ce.attachments.front().pe;
      Point p = at(pe), centre{kWidth / 2, kHeight / 2 + 30};
      double angle = std::atan2((p.y - centre.y) * 1.6, p.x - centre.x) + 0.34 * (seen[pe]++ - (on_pe[pe] - 1) / 2.0);
      set(ce.name, {centre.x + 430 * std::cos(angle), centre.y + 225 * std::sin(angle)});
    }
  }
  Point at(const std::string& name) const {
    auto found = places_.find(name);
    return found == places_.end() ? Point{kWidth / 2, kHeight / 2} : found->second;
  }

 private:
  void set(const std::string& name, Point p) {
    if (auto given = t_.places.find(name); given != t_.places.end()) p = {given->second.first / 100 * kWidth, given->second.second / 100 * kHeight};
    places_[name] = p;
  }
  void place_ring(const std::vector<std::string>& names, double rx, double ry) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      double angle = 3.14159265 * (1 + 2.0 * static_cast<double>(i) / static_cast<double>(names.size()));
      set(names[i], {kWidth / 2 + rx * std::cos(angle), kHeight / 2 + 30 + ry * std::sin(angle)});
    }
  }
  const Topology& t_;
  std::map<std::string, Point> places_;
};

class Picture {
 public:
  Picture(Lab& lab, const std::string& title) : lab_(lab), t_(lab.topology()), layout_(t_) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"{2}\">\n"
        "<rect width=\"{0}\" height=\"{1}\" rx=\"6\" fill=\"#ffffff\"/>\n<text x=\"24\" y=\"30\" font-size=\"17\">{3}</text>\n",
        kWidth, kHeight, kInk, escape(t_.name + (title.empty() ? "" : ": " + title)));
  }

  void links() {
    for (const Lab::Session& s : lab_.sessions()) {
      if (t_.find_reflector(s.name_a) == nullptr && t_.find_reflector(s.name_b) == nullptr) continue;
      line(layout_.at(s.name_a), layout_.at(s.name_b), s.is_up() ? kFaint : "#d02020", 1, s.is_up() ? "3 5" : "1 6");
    }
    for (const LinkSpec& l : t_.links) line(layout_.at(l.a), layout_.at(l.b), kInk, 2.5);
    for (const VrfLinkSpec& l : t_.vrf_links) line(layout_.at(l.pe_a), layout_.at(l.pe_b), kInk, 1.5, "8 3");
    for (const CeSpec& ce : t_.ces)
      for (const AttachmentSpec& at : ce.attachments) line(layout_.at(ce.name), layout_.at(at.pe), colour(ce.customer), 1.8);
  }

  void nodes() {
    for (const ReflectorSpec& rr : t_.reflectors) box(rr.name, "RR", "#fff6da", "#b5832a", lab_.is_up(rr.name));
    for (const RouterSpec& r : t_.routers) box(r.name, r.is_pe ? "PE" : "P", r.is_pe ? "#e3edf8" : "#eef0f2", kInk, lab_.is_up(r.name));
    for (const CeSpec& ce : t_.ces) {
      std::string prefixes;
      for (const Prefix& p : ce.prefixes)
        if (!p.is_v6) prefixes += (prefixes.empty() ? "" : " ") + format_prefix(p);
      box(ce.name, prefixes, "#ffffff", colour(ce.customer), lab_.is_up(ce.name), true);
    }
  }

  void way(const Walk& walk) {
    for (std::size_t i = 0; i + 1 < walk.hops.size(); ++i) line(at(walk.hops[i]), at(walk.hops[i + 1]), kPath, 5, "", 0.7);
  }
  // Beside each link of the way the label stack of the packet, the top first; numbered where the way comes back over a link.
  void stacks(const Walk& walk) {
    std::set<std::pair<std::size_t, std::size_t>> used;
    bool is_numbered = false;
    for (std::size_t i = 0; i + 1 < walk.hops.size(); ++i) is_numbered |= !used.insert(std::minmax(walk.hops[i].node, walk.hops[i + 1].node)).second;
    for (std::size_t i = 0; i + 1 < walk.hops.size(); ++i) {
      const Hop& hop = walk.hops[i];
      Point a = at(hop), b = at(walk.hops[i + 1]), middle{(a.x + b.x) / 2, (a.y + b.y) / 2};
      std::vector<std::string> rows;
      for (const auto& e : hop.labels) rows.push_back(fmt::format("{}", e.label()));
      if (!hop.labels.empty() && hop.protocol == forwarding::Protocol::ipv4) rows.insert(rows.begin(), "IP/GRE");
      rows.push_back(fmt::format("{}IP ttl {}", is_numbered ? fmt::format("{}: ", i + 1) : "", hop.ttl));
      Rect place = free_place(walk, middle, 76, 17.0 * static_cast<double>(rows.size()));
      taken_.push_back(place);
      Point centre{place.x + place.width / 2, place.y + place.height / 2};
      line(middle, centre, kPath, 1, "2 2");
      for (std::size_t r = 0; r < rows.size(); ++r) {
        double y = place.y + 17.0 * static_cast<double>(r);
        out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"17\" fill=\"{}\" stroke=\"{}\"/>\n<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"11\" text-anchor=\"middle\">{}</text>\n", place.x, y,
                            place.width, r + 1 < rows.size() ? "#fbe3da" : "#ffffff", kPath, centre.x, y + 12.5, rows[r]);
      }
    }
  }
  std::string finish() { return out_ + "</svg>\n"; }

 private:
  // Near a point, clear of nodes and other stacks and, if that can be, of the way itself.
  Rect free_place(const Walk& walk, Point near, double width, double height) {
    Rect best;
    double least = 1e9;
    for (int distance = 12; distance <= 200; distance += 8)
      for (int direction = 0; direction < 16; ++direction) {
        double angle = -3.14159265 / 2 + 3.14159265 / 8 * direction;
        // The nearest edge is so far away, whatever the shape.
        Point centre{near.x + std::cos(angle) * (distance + width / 2), near.y + std::sin(angle) * (distance + height / 2)};
        Rect r{centre.x - width / 2, centre.y - height / 2, width, height};
        double cost = distance + 0.5 * direction;
        if (r.x < 4 || r.y < 40 || r.x + width > kWidth - 4 || r.y + height > kHeight - 4) cost += 5000;
        for (const Rect& other : taken_) cost += r.overlaps(other, 4) ? 1000 : 0;
        for (std::size_t i = 0; i + 1 < walk.hops.size(); ++i) cost += is_crossed(r, at(walk.hops[i]), at(walk.hops[i + 1])) ? 90 : 0;
        if (cost < least) least = cost, best = r;
      }
    return best;
  }
  static bool is_crossed(const Rect& r, Point a, Point b) {
    for (int i = 0; i <= 40; ++i)
      if (r.holds({a.x + (b.x - a.x) * i / 40, a.y + (b.y - a.y) * i / 40})) return true;
    return false;
  }
  Point at(const Hop& hop) { return layout_.at(lab_.node(hop.node).name); }
  std::string colour(const std::string& customer) const {
    const CustomerSpec* c = t_.find_customer(customer);
    return kCustomerColours[static_cast<std::size_t>(c - t_.customers.data()) % std::size(kCustomerColours)];
  }
  void line(Point a, Point b, const std::string& stroke, double width, const std::string& dash = "", double opacity = 1) {
    out_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"{}\"{}{}/>\n", a.x, a.y, b.x, b.y, stroke, width,
                        dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash), opacity < 1 ? fmt::format(" stroke-opacity=\"{}\"", opacity) : "");
  }
  void box(const std::string& name, const std::string& below, const std::string& fill, const std::string& stroke, bool is_up, bool is_round = false) {
    Point p = layout_.at(name);
    double width = std::max(72.0, 8.0 * static_cast<double>(std::max(name.size(), below.size() * 9 / 10)) + 14);
    p.x = std::clamp(p.x, width / 2 + 4, kWidth - width / 2 - 4);
    taken_.push_back({p.x - width / 2, p.y - 20, width, 40});
    out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"40\" rx=\"{}\" fill=\"{}\" stroke=\"{}\" stroke-width=\"1.6\"{}/>\n", p.x - width / 2, p.y - 20, width, is_round ? 20 : 5, fill,
                        stroke, is_up ? "" : " stroke-dasharray=\"4 3\" opacity=\"0.5\"");
    out_ += fmt::format("<text x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"middle\">{2}</text>\n<text x=\"{0:.1f}\" y=\"{3:.1f}\" font-size=\"10.5\" text-anchor=\"middle\" fill=\"#5c6b78\">{4}</text>\n", p.x,
                        p.y - 2, escape(name), p.y + 13, escape(is_up ? below : below + " down"));
  }
  Lab& lab_;
  const Topology& t_;
  Layout layout_;
  std::vector<Rect> taken_;  // by nodes and stacks
  std::string out_;
};

}  // namespace

std::string draw_topology(Lab& lab, const Walk* walk, const std::string& title) {
  Picture picture(lab, title);
  picture.links();
  if (walk != nullptr) picture.way(*walk);
  picture.nodes();
  if (walk != nullptr) picture.stacks(*walk);
  return picture.finish();
}

}  // namespace helio::lab
