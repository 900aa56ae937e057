#include "rr/config/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "rr/wire/types.hpp"

namespace helio::config {
namespace {

// The keys that name the entries of an array of tables.
std::vector<std::string_view> naming_keys(const SchemaNode& tables) {
  for (std::string_view name : {"name", "prefix"})
    if (tables.child(name) != nullptr) return {name};
  if (tables.child("port") != nullptr) return {"address", "port"};
  return {"address"};
}

std::string default_of(const SchemaNode& leaf) { return std::string(leaf.key->default_text); }

std::string text_of(const Node* node, const SchemaNode& leaf) { return node != nullptr ? value_text(*node) : default_of(leaf); }

// Without the quotes of a string; addresses in their usual form.
std::string name_of(const Node& entry, const SchemaNode& tables) {
  std::string name;
  for (std::string_view key : naming_keys(tables)) {
    const Node* node = entry.find(key);
    std::string text = node != nullptr && node->text() != nullptr ? *node->text() : text_of(node, *tables.child(key));
    if (auto address = wire::parse_ip(text)) text = wire::format_ip(*address);
    name += (name.empty() ? "" : ":") + text;
  }
  return name;
}

const Node* member(const Node* table, const std::string& name) { return table != nullptr ? table->find(name) : nullptr; }

class Differ {
 public:
  std::vector<Change> take() { return std::move(changes_); }

  void table(const SchemaNode& schema, const Node* before, const Node* after, const std::string& path) {
    for (const SchemaNode& child : schema.children) {
      if (child.name == "*") {
        for (const std::string& name : names(before, after)) one(child, member(before, name), member(after, name), join(path, name));
      } else {
        one(child, member(before, child.name), member(after, child.name), join(path, child.name));
      }
    }
  }

 private:
  static std::string join(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

  static std::set<std::string> names(const Node* before, const Node* after) {
    std::set<std::string> out;
    for (const Node* node : {before, after})
      if (node != nullptr && node->table() != nullptr)
        for (const TableEntry& entry : *node->table()) out.insert(entry.key);
    return out;
  }

  void one(const SchemaNode& schema, const Node* before, const Node* after, const std::string& path) {
    if (before == nullptr && after == nullptr) return;
    switch (schema.shape) {
      case SchemaNode::Shape::table: return table(schema, before, after, path);
      case SchemaNode::Shape::tables: return tables(schema, before, after, path);
      case SchemaNode::Shape::leaf: break;
    }
    std::string was = text_of(before, schema), is = text_of(after, schema);
    if (was != is) changes_.push_back({path, Change::Kind::changed, schema.key->reload, std::move(was), std::move(is)});
  }

  void tables(const SchemaNode& schema, const Node* before, const Node* after, const std::string& path) {
    static const Array kNone;
    const Array& olds = before != nullptr && before->array() != nullptr ? *before->array() : kNone;
    const Array& news = after != nullptr && after->array() != nullptr ? *after->array() : kNone;
    auto find = [&](const Array& in, const std::string& name) -> const Node* {
      auto at = std::ranges::find_if(in, [&](const Node& entry) { return name_of(entry, schema) == name; });
      return at == in.end() ? nullptr : &*at;
    };
    // An entry comes or goes as the key that names it is changed.
    Reload whole = schema.child(naming_keys(schema).front())->key->reload;
    if (path == "peer-groups") whole = Reload::applied;  // nobody is in a group that was not there
    for (const Node& old : olds) {
      std::string name = name_of(old, schema);
      std::string at = fmt::format("{}[{}]", path, name);
      if (const Node* entry = find(news, name)) table(schema, &old, entry, at);
      else changes_.push_back({at, Change::Kind::removed, whole, {}, {}});
    }
    for (const Node& entry : news) {
      std::string name = name_of(entry, schema);
      if (find(olds, name) == nullptr) changes_.push_back({fmt::format("{}[{}]", path, name), Change::Kind::added, whole, {}, {}});
    }
  }

  std::vector<Change> changes_;
};

// Files of keys whose name stayed and whose contents did not.
void add_secrets(const Config& running, const Config& wanted, std::vector<Change>& changes) {
  auto note = [&](const std::string& entry) {
    std::string path = entry + ".auth-password-file";
    bool known = std::ranges::any_of(changes, [&](const Change& c) { return c.path == path || c.path == entry; });
    if (!known) changes.push_back({path, Change::Kind::changed, Reload::session_reset, "another key in the file", "another key in the file"});
  };
  for (const PeerGroup& group : wanted.peer_groups)
    for (const PeerGroup& old : running.peer_groups)
      if (old.name == group.name && old.auth_password != group.auth_password) note(fmt::format("peer-groups[{}]", group.name));
  for (const Neighbor& neighbor : wanted.neighbors)
    for (const Neighbor& old : running.neighbors)
      if (old.address == neighbor.address && old.auth_password != neighbor.auth_password)
        note(fmt::format("neighbors[{}]", wire::format_ip(neighbor.address)));
  for (const ListenRange& range : wanted.listen_ranges)
    for (const ListenRange& old : running.listen_ranges)
      if (old.prefix.address == range.prefix.address && old.prefix.length == range.prefix.length && old.auth_password != range.auth_password)
        note(fmt::format("listen-ranges[{}/{}]", wire::format_ip(range.prefix.address), range.prefix.length));
}

bool needs_restart(const SchemaNode& schema) {
  if (schema.shape == SchemaNode::Shape::leaf) return schema.key->reload == Reload::restart;
  return std::ranges::all_of(schema.children, needs_restart);
}

// `out`, a table, gets the value that `running` has at `name`: the same, another one or none.
void take_over(Table& out, const std::string& name, const Node* running) {
  auto at = std::ranges::find(out, name, &TableEntry::key);
  if (running == nullptr) {
    if (at != out.end()) out.erase(at);
  } else if (at != out.end()) {
    at->node = *running;
  } else {
    out.push_back({name, running->position, *running});
  }
}

void keep_running(const SchemaNode& schema, const Node* running, Node& wanted) {
  Table& out = std::get<Table>(wanted.value);
  for (const SchemaNode& child : schema.children) {
    const Node* old = member(running, child.name);
    if (needs_restart(child)) {
      take_over(out, child.name, old);
    } else if (child.shape == SchemaNode::Shape::table && child.name != "*") {
      auto at = std::ranges::find(out, child.name, &TableEntry::key);
      bool was_there = at != out.end();
      if (!was_there && old != nullptr) {
        out.push_back({child.name, old->position, Node{Table{}, old->position}});
        at = out.end() - 1;
      }
      if (at == out.end()) continue;
      keep_running(child, old, at->node);
      if (std::get<Table>(at->node.value).empty() && !was_there) out.erase(at);
    }
  }
}

}  // namespace

std::vector<Change> diff(const Config& running, const Config& wanted) {
  Differ differ;
  differ.table(schema(), &running.tree, &wanted.tree, "");
  std::vector<Change> changes = differ.take();
  add_secrets(running, wanted, changes);
  return changes;
}

LoadResult effective(const Config& running, const Config& wanted) {
  Node tree = wanted.tree;
  keep_running(schema(), &running.tree, tree);
  LoadResult made = config_from_tree(tree, wanted.file);
  if (made) made->hash = wanted.hash;
  return made;
}

std::string_view reload_name(Reload reload) {
  switch (reload) {
    case Reload::applied: return "applied";
    case Reload::session_reset: return "needs-session-reset";
    case Reload::restart: return "needs-restart";
  }
  return {};
}

}  // namespace helio::config
