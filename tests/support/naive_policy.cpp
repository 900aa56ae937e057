#include "tests/support/naive_policy.hpp"

#include <algorithm>
#include <sstream>

namespace helio::test {
namespace {

using policy::Definition;
using policy::SetDefinition;
using policy::StatementDefinition;

const SetDefinition& set_named(const Definition& d, const std::string& name) {
  return *std::find_if(d.sets.begin(), d.sets.end(), [&](const SetDefinition& s) { return s.name == name; });
}

// "A:*" is everything that begins with "A:".
bool text_matches(const std::string& pattern, const std::string& text) {
  if (pattern == "*") return true;
  if (!pattern.ends_with(":*")) return pattern == text;
  return text.starts_with(pattern.substr(0, pattern.size() - 1));
}
bool any_matches(const std::vector<std::string>& patterns, const std::string& text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return text_matches(p, text); });
}

std::string community_text(std::uint32_t c) { return std::to_string(c >> 16) + ":" + std::to_string(c & 0xffff); }

bool in_prefix_list(const std::vector<std::string>& entries, const wire::VpnPrefix& prefix) {
  for (const std::string& entry : entries) {
    std::istringstream words(entry);
    std::string text, word;
    unsigned number = 0;
    words >> text;
    wire::VpnPrefix covering = wire::parse_prefix(text).value();
    unsigned from = covering.length, to = covering.length;
    bool has_le = false;
    while (words >> word >> number) {
      if (word == "ge") from = number;
      if (word == "le") to = number, has_le = true;
    }
    if (from != covering.length && !has_le) to = 128;
    if (covering.is_v6 != prefix.is_v6 || prefix.length < covering.length || prefix.length < from || prefix.length > to) continue;
    bool inside = true;
    for (unsigned bit = 0; bit < covering.length; ++bit) inside = inside && ((covering.address[bit / 8] ^ prefix.address[bit / 8]) & (0x80 >> bit % 8)) == 0;
    if (inside) return true;
  }
  return false;
}

bool is_about_routes(const StatementDefinition& s, const wire::VpnPrefix& prefix) {
  if (!s.any_membership_in.empty()) return false;
  return !s.families || s.families->contains(prefix.is_v6 ? wire::Family::vpnv6 : wire::Family::vpnv4);
}

bool source_matches(const Definition& d, const StatementDefinition& s, const PeerSpec& from) {
  if (s.source_role && *s.source_role != from.role) return false;
  return s.peer_in.empty() || any_matches(set_named(d, s.peer_in).peers, wire::format_ip(from.address));
}

bool matches(const Definition& d, const StatementDefinition& s, const PeerSpec& from, const wire::VpnPrefix& prefix, const PathAttributes& a) {
  if (!is_about_routes(s, prefix) || !source_matches(d, s, from)) return false;
  if (!s.prefix_in.empty() && !in_prefix_list(set_named(d, s.prefix_in).prefixes, prefix)) return false;
  if (!s.route_distinguisher_in.empty() && !any_matches(set_named(d, s.route_distinguisher_in).route_distinguishers, wire::format_rd(prefix.rd))) return false;
  if (!s.any_route_target_in.empty() && std::none_of(a.extended_communities.begin(), a.extended_communities.end(), [&](std::uint64_t c) {
        return wire::is_route_target(c) && any_matches(set_named(d, s.any_route_target_in).route_targets, wire::format_rt({c}));
      }))
    return false;
  if (!s.any_community_in.empty() && std::none_of(a.communities.begin(), a.communities.end(), [&](std::uint32_t c) {
        return any_matches(set_named(d, s.any_community_in).communities, community_text(c));
      }))
    return false;
  if (!s.as_path_in.empty()) {
    bool found = false;
    for (const std::string& expression : set_named(d, s.as_path_in).as_paths)
      for (const AsSegment& segment : a.as_path)
        for (Asn as : segment.ases) found = found || expression == "_" + std::to_string(as) + "_";
    if (!found) return false;
  }
  return true;
}

template <class T, class Text>
void edit(std::vector<T>& list, const std::vector<std::string>& removed, const std::vector<T>& added, Text&& text) {
  std::erase_if(list, [&](T v) { return any_matches(removed, text(v)); });
  for (T v : added)
    if (std::find(list.begin(), list.end(), v) == list.end()) list.push_back(v);
}

void set_values(const Definition& d, const StatementDefinition& s, const wire::VpnPrefix& prefix, NaiveVerdict& out) {
  PathAttributes& a = out.attributes;
  if (s.local_preference) a.local_pref = s.local_preference;
  if (s.med) a.med = s.med, out.sets_med = true;
  if (!s.next_hop.empty()) {
    wire::IpAddress address = wire::parse_ip(s.next_hop).value();
    if (prefix.is_v6 && !address.is_v6) {
      wire::IpAddress mapped{.bytes = {}, .is_v6 = true};
      mapped.bytes[10] = mapped.bytes[11] = 0xff;
      std::copy(address.bytes.begin(), address.bytes.begin() + 4, mapped.bytes.begin() + 12);
      address = mapped;
    }
    a.next_hop = vpn_next_hop(address);
  }
  std::vector<std::uint32_t> communities;
  for (const std::string& text : s.communities_add) communities.push_back(static_cast<std::uint32_t>(std::stoul(text) << 16 | std::stoul(text.substr(text.find(':') + 1))));
  if (!s.communities_add.empty() || !s.communities_remove.empty()) edit(a.communities, s.communities_remove, communities, community_text);
  std::vector<std::uint64_t> targets;
  for (const std::string& text : s.route_targets_add) targets.push_back(wire::parse_rt(text).value().value);
  if (!s.route_targets_add.empty() || !s.route_targets_remove.empty())
    edit(a.extended_communities, s.route_targets_remove, targets, [](std::uint64_t c) { return wire::is_route_target(c) ? wire::format_rt({c}) : std::string("-"); });
  for (std::uint32_t i = 0; i < s.prepend_repeat; ++i) prepend(a.as_path, s.prepend_as != 0 ? s.prepend_as : d.local_as);
}

std::vector<const StatementDefinition*> statements_of(const Definition& d, const std::string& group, bool is_import) {
  std::vector<const StatementDefinition*> out;
  for (const policy::GroupDefinition& g : d.groups)
    if (g.name == group)
      for (const std::string& name : is_import ? g.import_policy : g.export_policy)
        for (const StatementDefinition& s : d.statements)
          if (s.name == name) out.push_back(&s);
  return out;
}

}  // namespace

NaiveVerdict apply_policy(const Definition& d, const std::string& group, bool is_import, const PeerSpec& from, const wire::VpnPrefix& prefix,
                          const PathAttributes& attributes) {
  NaiveVerdict out{true, false, attributes};
  for (const StatementDefinition* s : statements_of(d, group, is_import)) {
    if (!matches(d, *s, from, prefix, out.attributes)) continue;
    if (s->action == policy::Action::reject) {
      out.accepted = false;
      return out;
    }
    set_values(d, *s, prefix, out);
    if (s->action == policy::Action::accept) return out;
  }
  return out;
}

bool membership_allowed(const Definition& d, const std::string& group, bool is_import, const PeerSpec& from, const wire::RtMembership& m) {
  for (const StatementDefinition* s : statements_of(d, group, is_import)) {
    bool about = !s->any_membership_in.empty() || (s->families && s->families->contains(wire::Family::rtc));
    if (!about || !source_matches(d, *s, from)) continue;
    // Random runs name whole route targets only.
    if (!s->any_membership_in.empty() && (m.length != 96 || !any_matches(set_named(d, s->any_membership_in).route_targets, wire::format_rt({m.target})))) continue;
    if (s->action != policy::Action::go_on) return s->action == policy::Action::accept;
  }
  return true;
}

}  // namespace helio::test
