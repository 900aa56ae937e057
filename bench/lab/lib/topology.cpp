#include "bench/lab/lib/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "rr/config/suggest.hpp"
#include "rr/config/toml_reader.hpp"

namespace helio::lab {

using config::Node;
using config::Problems;

bool contains(const Prefix& prefix, const IpAddress& address) {
  if (prefix.is_v6 != address.is_v6) return false;
  for (unsigned bit = 0; bit < prefix.length; ++bit)
    if (((prefix.address[bit / 8] ^ address.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

Prefix host_prefix(const IpAddress& address) {
  Prefix out;
  out.address = address.bytes;
  out.is_v6 = address.is_v6;
  out.length = address.is_v6 ? 128 : 32;
  return out;
}

IpAddress first_host(const Prefix& prefix) {
  IpAddress out;
  out.is_v6 = prefix.is_v6;
  out.bytes = prefix.address;
  if (prefix.length < (prefix.is_v6 ? 128 : 32)) out.bytes[prefix.is_v6 ? 15 : 3] |= 1;
  return out;
}

const VrfSpec* RouterSpec::find_vrf(std::string_view wanted) const {
  for (const VrfSpec& v : vrfs)
    if (v.name == wanted) return &v;
  return nullptr;
}

namespace {
template <class T>
const T* find(const std::vector<T>& in, std::string_view name) {
  for (const T& t : in)
    if (t.name == name) return &t;
  return nullptr;
}
}  // namespace

const RouterSpec* Topology::find_router(std::string_view n) const { return find(routers, n); }
const ReflectorSpec* Topology::find_reflector(std::string_view n) const { return find(reflectors, n); }
const CeSpec* Topology::find_ce(std::string_view n) const { return find(ces, n); }
const CustomerSpec* Topology::find_customer(std::string_view n) const { return find(customers, n); }

bool Topology::is_intended(const CeSpec& from, const CeSpec& to) const {
  if (from.customer == to.customer) {
    const CustomerSpec* c = find_customer(from.customer);
    if (c == nullptr || c->is_any_to_any) return true;
  }
  return std::any_of(allowed.begin(), allowed.end(), [&](const AllowSpec& a) {
    return (a.from == from.name || a.from == from.customer) && (a.to == to.name || a.to == to.customer);
  });
}

namespace {

// One table of the file: values by key, and what is left over is a mistake.
class TableReader {
 public:
  TableReader(const Node& node, std::string where, Problems& problems) : node_(node), where_(std::move(where)), problems_(problems) {
    if (node.table() == nullptr) problems_.error(node.position, where_, "must be a table");
  }
  ~TableReader() {
    if (node_.table() == nullptr) return;
    std::vector<std::string_view> known(known_.begin(), known_.end());
    for (const auto& entry : *node_.table())
      if (!known_.contains(entry.key)) problems_.error(entry.position, key(entry.key), "unknown key", config::suggestion(entry.key, known));
  }

  const Node* node(const char* name) {
    known_.insert(name);
    if (node_.table() == nullptr) return nullptr;
    for (const auto& entry : *node_.table())
      if (entry.key == name) return &entry.node;
    return nullptr;
  }
  std::string text(const char* name, std::string otherwise = {}) {
    const Node* n = node(name);
    if (n == nullptr) return otherwise;
    if (n->text() == nullptr) return error(*n, name, "must be a string"), otherwise;
    return *n->text();
  }
  std::string required(const char* name) {
    std::string out = text(name);
    if (out.empty()) problems_.error(node_.position, key(name), "is required");
    return out;
  }
  std::int64_t integer(const char* name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const Node* n = node(name);
    if (n == nullptr) return otherwise;
    if (n->integer() == nullptr || *n->integer() < least || *n->integer() > most)
      return error(*n, name, fmt::format("must be a number from {} to {}", least, most)), otherwise;
    return *n->integer();
  }
  bool boolean(const char* name, bool otherwise) {
    const Node* n = node(name);
    if (n == nullptr) return otherwise;
    if (n->boolean() == nullptr) return error(*n, name, "must be true or false"), otherwise;
    return *n->boolean();
  }
  template <class T>
  T choice(const char* name, T otherwise, std::initializer_list<std::pair<std::string_view, T>> rows) {
    const Node* n = node(name);
    if (n == nullptr) return otherwise;
    std::vector<std::string_view> words;
    for (const auto& [word, value] : rows) {
      words.push_back(word);
      if (n->text() != nullptr && *n->text() == word) return value;
    }
    problems_.error(n->position, key(name), "has an unknown value", config::suggestion(n->text() != nullptr ? *n->text() : "", words));
    return otherwise;
  }
  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> out;
    const Node* n = node(name);
    if (n == nullptr) return out;
    if (n->text() != nullptr) return {*n->text()};
    if (n->array() == nullptr) return error(*n, name, "must be a list"), out;
    for (const Node& item : *n->array()) {
      if (item.text() == nullptr) error(item, name, "must hold strings");
      else out.push_back(*item.text());
    }
    return out;
  }
  template <class T, class Parse>
  std::vector<T> parsed(const char* name, const char* what, Parse parse) {
    std::vector<T> out;
    const Node* n = node(name);
    for (const std::string& t : texts(name)) {
      if (auto value = parse(t)) out.push_back(*value);
      else error(*n, name, fmt::format("\"{}\" is not {}", t, what));
    }
    return out;
  }
  std::vector<Prefix> prefixes(const char* name) { return parsed<Prefix>(name, "a prefix", wire::parse_prefix); }
  std::vector<std::uint64_t> targets(const char* name) {
    return parsed<std::uint64_t>(name, "a route target", [](std::string_view t) -> std::optional<std::uint64_t> {
      auto rt = wire::parse_rt(t);
      return rt ? std::optional(rt->value) : std::nullopt;
    });
  }
  std::optional<IpAddress> address(const char* name) {
    auto all = parsed<IpAddress>(name, "an address", wire::parse_ip);
    return all.empty() ? std::nullopt : std::optional(all.front());
  }
  // Calls with a reader for each table of an array of tables.
  template <class Function>
  void each(const char* name, Function function) {
    const Node* n = node(name);
    if (n == nullptr) return;
    if (n->array() == nullptr) return error(*n, name, fmt::format("must be an array of tables: [[{}]]", key(name)));
    std::size_t i = 0;
    for (const Node& item : *n->array()) {
      TableReader reader(item, fmt::format("{}[{}]", key(name), i++), problems_);
      function(reader);
    }
  }
  void error(const Node& n, const char* name, std::string message, std::string hint = {}) { problems_.error(n.position, key(name), std::move(message), std::move(hint)); }
  void fail(const char* name, std::string message, std::string hint = {}) {
    const Node* n = node(name);
    problems_.error(n != nullptr ? n->position : node_.position, key(name), std::move(message), std::move(hint));
  }

 private:
  std::string key(std::string_view name) const { return where_.empty() ? std::string(name) : where_ + "." + std::string(name); }
  const Node& node_;
  std::string where_;
  Problems& problems_;
  std::set<std::string, std::less<>> known_;
};

class Parser {
 public:
  explicit Parser(Problems& problems) : problems_(problems) {}

  Topology parse(const Node& root) {
    TableReader r(root, "", problems_);
    t_.name = r.text("name", "lab");
    t_.description = r.text("description");
    t_.as = static_cast<Asn>(r.integer("as", 65000, 1, 0xffffffff));
    t_.transport = r.choice<Transport>("transport", Transport::ldp, {{"ldp", Transport::ldp}, {"sr", Transport::sr}, {"gre", Transport::gre}, {"mpls-in-ip", Transport::mpls_in_ip}});
    t_.php = r.choice<Php>("php", Php::implicit_null, {{"implicit-null", Php::implicit_null}, {"explicit-null", Php::explicit_null}, {"off", Php::off}});
    t_.is_ttl_uniform = r.choice<bool>("ttl", true, {{"uniform", true}, {"pipe", false}});
    t_.has_entropy_label = r.boolean("entropy-label", false);
    r.each("customer", [&](TableReader& c) { customer(c); });
    r.each("rr", [&](TableReader& c) { reflector(c); });
    r.each("pe", [&](TableReader& c) { router(c, true); });
    r.each("p", [&](TableReader& c) { router(c, false); });
    r.each("link", [&](TableReader& c) { link(c); });
    r.each("inter-as", [&](TableReader& c) {
      InterAsSpec s{c.required("a"), c.required("b"), c.choice<InterAs>("option", InterAs::b, {{"b", InterAs::b}, {"c", InterAs::c}})};
      known_router(c, "a", s.a);
      known_router(c, "b", s.b);
      t_.inter_as.push_back(s);
    });
    r.each("vrf-link", [&](TableReader& c) {
      VrfLinkSpec s{c.required("a"), c.required("vrf-a"), c.required("b"), c.required("vrf-b")};
      known_vrf(c, "vrf-a", s.pe_a, s.vrf_a);
      known_vrf(c, "vrf-b", s.pe_b, s.vrf_b);
      t_.vrf_links.push_back(s);
    });
    r.each("ce", [&](TableReader& c) { ce(c); });
    r.each("allow", [&](TableReader& c) {
      std::string a = c.required("from"), b = c.required("to");
      known_end(c, "from", a);
      known_end(c, "to", b);
      t_.allowed.push_back({a, b});
      if (c.boolean("both", false)) t_.allowed.push_back({b, a});
    });
    r.each("phase", [&](TableReader& c) { phase(c); });
    check();
    return std::move(t_);
  }

 private:
  // Names become those of namespaces, files and ends of sessions.
  static bool is_name(std::string_view name) {
    return name.size() <= 64 && name[0] != '.' && name[0] != '-' && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
  }
  void named(TableReader& r, const std::string& name) {
    if (!name.empty() && !is_name(name)) r.fail("name", fmt::format("\"{}\" is no name for a node: letters, digits, - _ . and at most 64 of them", name));
    if (!name.empty() && !names_.insert(name).second) r.fail("name", fmt::format("\"{}\" is there already", name));
    if (const Node* at = r.node("at")) {
      auto value = [](const Node& n) { return n.integer() != nullptr ? static_cast<double>(*n.integer()) : std::get_if<double>(&n.value) != nullptr ? std::get<double>(n.value) : 0.0; };
      if (at->array() == nullptr || at->array()->size() != 2) r.error(*at, "at", "must be [x, y]");
      else t_.places[name] = {value((*at->array())[0]), value((*at->array())[1])};
    }
  }
  void customer(TableReader& r) {
    CustomerSpec c;
    c.name = r.required("name");
    c.is_any_to_any = r.boolean("any-to-any", true);
    c.hub = r.text("hub");
    t_.customers.push_back(c);
  }
  wire::FamilySet families(TableReader& r) {
    wire::FamilySet out;
    auto all = r.parsed<wire::Family>("families", "an address family (l3vpn-ipv4-unicast, l3vpn-ipv6-unicast, rt-constrain)", wire::parse_family);
    if (all.empty()) all = {wire::Family::vpnv4, wire::Family::vpnv6, wire::Family::rtc};
    for (wire::Family f : all) out.insert(f);
    return out;
  }
  IpAddress loopback(TableReader& r, const char* key) {
    IpAddress out = r.address(key).value_or(IpAddress::v4(0x0aff0000 + ++loopbacks_));
    if (out.is_v6) r.fail(key, "must be an IPv4 address: it is the router id as well");
    else if (!addresses_.insert(out).second) r.fail(key, fmt::format("{} is another node's already", wire::format_ip(out)));
    return out.is_v6 ? IpAddress::v4(0x0aff0000 + ++loopbacks_) : out;
  }
  void reflector(TableReader& r) {
    ReflectorSpec s;
    s.name = r.required("name");
    named(r, s.name);
    s.as = static_cast<Asn>(r.integer("as", t_.as, 1, 0xffffffff));
    s.address = loopback(r, "address");
    s.cluster_id = r.address("cluster-id");
    s.clients = r.texts("clients");
    s.mesh = r.texts("mesh");
    s.external = r.texts("external");
    s.families = families(r);
    s.paths = static_cast<unsigned>(r.integer("paths", 1, 1, 255));
    s.import_policy = r.texts("import-policy");
    if (const Node* added = r.node("add-targets"); added != nullptr) {
      if (added->table() == nullptr) r.error(*added, "add-targets", "must map a route target to a list of them");
      else {
        TableReader table(*added, "add-targets", problems_);
        for (const auto& entry : *added->table()) {
          auto rt = wire::parse_rt(entry.key);
          std::vector<std::uint64_t> targets = table.targets(entry.key.c_str());
          if (!rt) problems_.error(entry.position, "add-targets", fmt::format("\"{}\" is not a route target", entry.key));
          else s.add_targets[rt->value] = targets;
        }
      }
    }
    s.config = r.text("config");
    t_.reflectors.push_back(s);
  }
  void router(TableReader& r, bool is_pe) {
    RouterSpec s;
    s.name = r.required("name");
    named(r, s.name);
    s.is_pe = is_pe;
    s.as = static_cast<Asn>(r.integer("as", t_.as, 1, 0xffffffff));
    s.loopback = loopback(r, "loopback");
    s.open_as = s.as;
    if (is_pe) {
      s.open_as = static_cast<Asn>(r.integer("open-as", s.as, 1, 0xffffffff));
      s.reflectors = r.texts("rr");
      if (s.reflectors.empty()) {
        for (const ReflectorSpec& rr : t_.reflectors)
          if (rr.as == s.as) s.reflectors.push_back(rr.name);
      }
      for (const std::string& name : s.reflectors)
        if (t_.find_reflector(name) == nullptr) r.fail("rr", fmt::format("there is no reflector \"{}\"", name));
      s.families = families(r);
      s.add_paths = r.boolean("add-paths", false);
      s.multipath = r.boolean("multipath", false);
      s.accept_own = r.boolean("accept-own", false);
      if (const Node* rewrite = r.node("rewrite"); rewrite != nullptr && rewrite->table() != nullptr) {
        for (const auto& entry : *rewrite->table()) {
          auto from = wire::parse_rt(entry.key), to = wire::parse_rt(entry.node.text() != nullptr ? *entry.node.text() : "");
          if (!from || !to) problems_.error(entry.position, "rewrite", "must map route targets to route targets");
          else s.rewrite_targets[from->value] = to->value;
        }
      }
      r.each("vrf", [&](TableReader& v) { s.vrfs.push_back(vrf(v, s)); });
    }
    t_.routers.push_back(std::move(s));
  }
  VrfSpec vrf(TableReader& r, const RouterSpec& pe) {
    VrfSpec v;
    v.name = r.required("name");
    v.customer = r.text("customer", v.name);
    if (std::string rd = r.required("rd"); !rd.empty()) {
      if (auto parsed = wire::parse_rd(rd)) v.rd = *parsed;
      else r.fail("rd", fmt::format("\"{}\" is not a route distinguisher", rd));
    }
    v.import_targets = r.targets("import");
    v.export_targets = r.targets("export");
    v.labels = r.choice<LabelMode>("labels", LabelMode::per_vrf, {{"per-vrf", LabelMode::per_vrf}, {"per-prefix", LabelMode::per_prefix}, {"per-ce", LabelMode::per_ce}});
    if (pe.find_vrf(v.name) != nullptr) r.fail("name", fmt::format("{} has a VRF \"{}\" already", pe.name, v.name));
    return v;
  }
  void link(TableReader& r) {
    LinkSpec s;
    s.a = r.required("a");
    s.b = r.required("b");
    s.metric = static_cast<unsigned>(r.integer("metric", 10, 1, 65535));
    s.mtu = static_cast<unsigned>(r.integer("mtu", 1600, 68, 9216));
    known_router(r, "a", s.a);
    known_router(r, "b", s.b);
    if (!s.a.empty() && s.a == s.b) r.fail("b", fmt::format("a link from {} to itself", s.a));
    t_.links.push_back(s);
  }
  void ce(TableReader& r) {
    CeSpec s;
    s.name = r.required("name");
    named(r, s.name);
    s.customer = r.required("customer");
    if (!s.customer.empty() && t_.find_customer(s.customer) == nullptr) r.fail("customer", fmt::format("there is no customer \"{}\"", s.customer));
    s.as = static_cast<Asn>(r.integer("as", 64512 + static_cast<std::int64_t>(t_.ces.size()), 1, 0xffffffff));
    s.prefixes = r.prefixes("prefixes");
    auto attachment = [&](TableReader& a, const std::string& pe, const std::string& vrf) {
      AttachmentSpec at;
      at.pe = pe;
      at.vrf = vrf;
      at.prefixes = a.node("advertise") != nullptr ? a.prefixes("advertise") : s.prefixes;
      at.is_uplink = a.boolean("uplink", true);
      at.has_bgp = a.choice<bool>("routing", false, {{"static", false}, {"bgp", true}});
      known_vrf(a, "vrf", pe, vrf);
      s.attachments.push_back(at);
    };
    if (r.node("pe") != nullptr) attachment(r, r.text("pe"), r.text("vrf", s.customer));
    r.each("attach", [&](TableReader& a) { attachment(a, a.required("pe"), a.text("vrf", s.customer)); });
    if (s.attachments.empty()) r.fail("pe", "is required, or [[ce.attach]]");
    t_.ces.push_back(std::move(s));
  }
  void phase(TableReader& r) {
    PhaseSpec s;
    s.name = r.required("name");
    s.down = r.texts("down");
    s.up = r.texts("up");
    for (const char* key : {"down", "up"})
      for (const std::string& n : r.texts(key))
        if (!names_.contains(n)) r.fail(key, fmt::format("there is no node \"{}\"", n));
    auto routes = [&](const char* key, auto& out) {
      r.each(key, [&](TableReader& c) {
        std::string ce = c.required("ce");
        if (t_.find_ce(ce) == nullptr) c.fail("ce", fmt::format("there is no CE \"{}\"", ce));
        for (const Prefix& p : c.prefixes("prefixes")) out.emplace_back(ce, p);
      });
    };
    routes("withdraw", s.withdraw);
    routes("announce", s.announce);
    t_.phases.push_back(std::move(s));
  }
  void known_router(TableReader& r, const char* key, const std::string& name) {
    if (!name.empty() && t_.find_router(name) == nullptr) r.fail(key, fmt::format("there is no PE or P router \"{}\"", name));
  }
  void known_vrf(TableReader& r, const char* key, const std::string& pe, const std::string& vrf) {
    const RouterSpec* router = t_.find_router(pe);
    if (router == nullptr || !router->is_pe) r.fail("pe", fmt::format("there is no PE \"{}\"", pe));
    else if (router->find_vrf(vrf) == nullptr) r.fail(key, fmt::format("{} has no VRF \"{}\"", pe, vrf));
  }
  void known_end(TableReader& r, const char* key, const std::string& name) {
    if (!name.empty() && t_.find_customer(name) == nullptr && t_.find_ce(name) == nullptr) r.fail(key, fmt::format("there is no customer and no CE \"{}\"", name));
  }
  void check() {
    auto known = [&](const ReflectorSpec& rr, const std::vector<std::string>& others) {
      for (const std::string& n : others)
        if (t_.find_reflector(n) == nullptr) problems_.error({}, "rr", fmt::format("{}: there is no reflector \"{}\"", rr.name, n));
    };
    for (const ReflectorSpec& rr : t_.reflectors) {
      known(rr, rr.clients);
      known(rr, rr.mesh);
      known(rr, rr.external);
    }
    for (const CustomerSpec& c : t_.customers)
      if (!c.hub.empty() && t_.find_ce(c.hub) == nullptr) problems_.error({}, "customer", fmt::format("{}: there is no CE \"{}\" to be its hub", c.name, c.hub));
    if (t_.ces.empty()) problems_.error({}, "ce", "no CE: nothing to send from");
  }

  Problems& problems_;
  Topology t_;
  std::set<std::string> names_;
  std::set<IpAddress> addresses_;
  std::uint32_t loopbacks_ = 0;
};

}  // namespace

TopologyResult parse_topology(std::string_view text, const std::string& file) {
  Problems problems(file);
  auto tree = config::read_toml(text, problems);
  if (!tree) return Unexpected(problems.take());
  Topology topology = Parser(problems).parse(*tree);
  if (problems.errors() != 0) return Unexpected(problems.take());
  return topology;
}

TopologyResult load_topology(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    Problems problems(file);
    problems.error({}, "", "cannot be read");
    return Unexpected(problems.take());
  }
  return parse_topology(text.str(), file);
}

}  // namespace helio::lab
