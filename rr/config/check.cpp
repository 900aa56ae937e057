#include "rr/config/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rr/config/schema.hpp"
#include "rr/config/suggest.hpp"
#include "rr/config/values.hpp"

namespace helio::config {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

constexpr std::string_view kFamilyNames[] = {"l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rt-constrain", "ipv4-unicast",
                                             "ipv6-unicast", "l2vpn-evpn"};

std::string_view expected_type(Kind kind) {
  switch (kind) {
    case Kind::boolean: return "true or false";
    case Kind::integer: return "an integer";
    case Kind::count: return "an integer or \"all\"";
    case Kind::fraction: return "a number";
    case Kind::size: return "a size such as \"64MiB\"";
    case Kind::duration: return "a time such as \"20ms\"";
    case Kind::mode: return "permissions in quotes such as \"0660\"";
    case Kind::names:
    case Kind::families:
    case Kind::texts: return "an array of strings";
    default: return "a string";
  }
}

class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void table(const SchemaNode& schema, const Node& node, const std::string& path, SourcePosition header) {
    const Table* entries = node.table();
    if (!entries) {
      problems_.error(header, path, fmt::format("{} where a table is expected", type_name(node)),
                      fmt::format("write [{}]", path));
      return;
    }
    for (const TableEntry& entry : *entries) {
      std::string key = path.empty() ? entry.key : path + "." + entry.key;
      const SchemaNode* known = schema.child(entry.key);
      if (known && known->name == "*" && !wire::parse_family(entry.key)) {
        problems_.error(entry.position, key, fmt::format("\"{}\" is not a family", entry.key),
                        suggestion(entry.key, kFamilyNames));
      } else if (known) {
        member(*known, entry, key);
      } else {
        unknown(schema, entry, key);
      }
    }
    for (const SchemaNode& child : schema.children)
      if (child.key && child.key->default_text == "required" && !node.find(child.name))
        problems_.error(header, path.empty() ? child.name : path + "." + child.name, "missing", std::string(child.key->help));
  }

 private:
  void member(const SchemaNode& known, const TableEntry& entry, const std::string& key) {
    std::size_t errors_before = problems_.errors();
    switch (known.shape) {
      case SchemaNode::Shape::leaf: leaf(*known.key, entry.node, key); break;
      case SchemaNode::Shape::table: table(known, entry.node, key, entry.position); break;
      case SchemaNode::Shape::tables: tables(known, entry, key); break;
    }
    // One message per key: a value that is wrong in itself is reported as that.
    if (known.unsupported && problems_.errors() == errors_before) refuse(*known.unsupported, entry, key);
  }

  void tables(const SchemaNode& known, const TableEntry& entry, const std::string& key) {
    const Array* items = entry.node.array();
    if (!items) {
      problems_.error(entry.position, key, fmt::format("{} where an array of tables is expected", type_name(entry.node)),
                      fmt::format("write [[{}]]", key));
      return;
    }
    for (std::size_t i = 0; i < items->size(); ++i)
      table(known, (*items)[i], fmt::format("{}[{}]", key, i), (*items)[i].position);
  }

  void unknown(const SchemaNode& schema, const TableEntry& entry, const std::string& key) {
    std::string hint(foreign_word(entry.key));
    if (hint.empty()) {
      std::vector<std::string_view> names;
      for (const SchemaNode& child : schema.children) names.push_back(child.name);
      std::ranges::sort(names);
      hint = suggestion(entry.key, names);
    }
    problems_.error(entry.position, key, "unknown key", hint);
  }

  void refuse(const Unsupported& row, const TableEntry& entry, const std::string& key) {
    auto harmless = split(row.harmless, '|');
    std::string text = value_text(entry.node);
    if (std::ranges::find(harmless, text) != harmless.end()) return;
    problems_.error(entry.position, key, "not supported by this version",
                    harmless.empty() ? "remove it" : fmt::format("it takes {} only", fmt::join(harmless, " or ")));
  }

  void leaf(const Key& key, const Node& node, const std::string& path) {
    auto wrong_type = [&] {
      problems_.error(node.position, path, fmt::format("{} where {} is expected", type_name(node), expected_type(key.kind)),
                      node.text() && key.kind == Kind::integer ? "write it without quotes" : "");
    };
    switch (key.kind) {
      case Kind::boolean:
        if (!node.boolean()) wrong_type();
        return;
      case Kind::integer:
        if (!node.integer()) return wrong_type();
        return range(key, static_cast<double>(*node.integer()), node, path);
      case Kind::count:
        if (node.text() && *node.text() == "all") return;
        if (!node.integer()) return wrong_type();
        return range(key, static_cast<double>(*node.integer()), node, path);
      case Kind::fraction:
        if (const auto* d = std::get_if<double>(&node.value)) return range(key, *d, node, path);
        if (!node.integer()) return wrong_type();
        return range(key, static_cast<double>(*node.integer()), node, path);
      case Kind::size: return size(key, node, path);
      case Kind::names:
      case Kind::families:
      case Kind::texts:
        if (!node.array()) return wrong_type();
        for (const Node& item : *node.array()) {
          if (item.text()) {
            text_value(key, *item.text(), item, path);
          } else {
            problems_.error(item.position, path, fmt::format("{} where a string is expected", type_name(item)));
          }
        }
        return;
      default:
        if (!node.text()) return wrong_type();
        return text_value(key, *node.text(), node, path);
    }
  }

  void range(const Key& key, double value, const Node& node, const std::string& path) {
    // Why negated: NaN is out of every range.
    if (!(value >= static_cast<double>(key.min) && value <= static_cast<double>(key.max)))
      problems_.error(node.position, path, fmt::format("{} is out of range", value_text(node)),
                      fmt::format("{} to {}", key.min, key.max));
  }

  void size(const Key& key, const Node& node, const std::string& path) {
    std::optional<std::uint64_t> bytes;
    if (const auto* n = node.integer(); n && *n >= 0) bytes = static_cast<std::uint64_t>(*n);
    if (node.text()) bytes = parse_size(*node.text());
    if (!bytes) {
      problems_.error(node.position, path, fmt::format("{} is not a size", value_text(node)),
                      "a number with B, KiB, MiB, GiB or TiB, such as \"64MiB\"");
    } else if (*bytes < static_cast<std::uint64_t>(key.min)) {
      problems_.error(node.position, path, fmt::format("{} is too small", value_text(node)),
                      fmt::format("at least {} bytes", key.min));
    }
  }

  void text_value(const Key& key, const std::string& text, const Node& node, const std::string& path) {
    auto bad = [&](std::string_view what, std::string hint) {
      problems_.error(node.position, path, fmt::format("\"{}\" is not {}", text, what), std::move(hint));
    };
    auto choices = split(key.choices, '|');
    if (!choices.empty() && std::ranges::find(choices, text) == choices.end())
      return bad("known here", choices.size() > 2 ? suggestion(text, choices) : fmt::format("one of: {}", fmt::join(choices, ", ")));
    switch (key.kind) {
      case Kind::text:
        if (text.size() > static_cast<std::size_t>(key.max))
          problems_.error(node.position, path, "too long", fmt::format("at most {} characters", key.max));
        return;
      case Kind::name:
      case Kind::names:
        if (text.empty() || text.size() > 63 || text.find_first_of(" \t\r\n\"{}") != std::string::npos)
          bad("a name", "1 to 63 characters without spaces, quotes or braces");
        return;
      case Kind::address:
        if (!wire::parse_ip(text)) bad("an IPv4 or IPv6 address", "");
        return;
      case Kind::prefix:
        if (auto prefix = parse_ip_prefix(text); !prefix) {
          bad("a prefix", "address/length, such as \"10.255.0.0/16\"");
        } else if (has_host_bits(*prefix)) {
          bad("a prefix: bits beyond its length are set", "");
        }
        return;
      case Kind::router_id:
        if (!parse_router_id(text)) bad("an identifier", "four octets written like an IPv4 address, not 0.0.0.0");
        return;
      case Kind::family:
      case Kind::families:
        if (!wire::parse_family(text)) bad("a family", suggestion(text, kFamilyNames));
        return;
      case Kind::duration:
        if (auto time = parse_duration(text); !time) {
          bad("a time", "a number with ms, s, m or h");
        } else if (time->count() < key.min || time->count() > key.max) {
          std::string bounds = key.min > 0 ? fmt::format("{} to {} ms", key.min, key.max) : fmt::format("at most {} ms", key.max);
          problems_.error(node.position, path, fmt::format("\"{}\" is out of range", text), std::move(bounds));
        }
        return;
      case Kind::mode:
        if (!parse_mode(text)) bad("a file mode", "octal permissions, such as \"0660\"");
        return;
      case Kind::path:
        if (text.empty()) bad("a file name", "");
        return;
      default: return;
    }
  }

  Problems& problems_;
};

}  // namespace

void check_structure(const Node& root, Problems& problems) {
  Checker checker(problems);
  checker.table(schema(), root, "", root.position);
  // A missing [global] is every mandatory key of it missing.
  if (!root.find("global")) {
    Node empty{Table{}, root.position};
    checker.table(*schema().child("global"), empty, "global", root.position);
  }
}

}  // namespace helio::config
