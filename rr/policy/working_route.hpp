// WorkingRoute: canonical attributes opened up while a policy looks at them and changes them. Values that are not
// changed stay where they are; what is changed is kept here. Reused from one evaluation to the next; one thread.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/bytes.hpp"
#include "rr/policy/patterns.hpp"

namespace helio::policy {

class WorkingRoute {
 public:
  void open(Bytes next_hop, Bytes canonical);

  // Empty when the attribute is absent.
  Bytes value(std::uint8_t type) const;
  Bytes next_hop() const { return next_hop_; }
  const std::string& as_path_text();
  bool is_changed() const { return changed_; }
  // In canonical form again.
  void close(std::vector<std::uint8_t>& next_hop, std::vector<std::uint8_t>& canonical) const;

  void set_u32(std::uint8_t type, std::uint8_t flags, std::uint32_t value);
  void set_aigp(std::uint64_t metric);
  void set_next_hop(wire::Family family, const wire::IpAddress& address);
  void prepend(Asn as, std::uint32_t repeat);
  // Members of 4, 8 or 12 octets. Those that `removed` matches go, those of `added` that are not there are put at the
  // end; a list that becomes empty takes the attribute with it.
  template <class Value>
  void edit_list(std::uint8_t type, std::size_t size, const PatternList<Value>& removed, const std::vector<Value>& added);

 private:
  struct Attribute {
    std::uint8_t type, flags;
    Bytes value;
  };
  void put(std::uint8_t type, std::uint8_t flags, std::vector<std::uint8_t> value);
  void erase(std::uint8_t type);

  std::vector<Attribute> attributes_;  // by type
  Bytes next_hop_;
  std::deque<std::vector<std::uint8_t>> made_;
  std::optional<std::string> as_path_text_;
  bool changed_ = false;
};

// The member of a list that stands at `p`, as a number.
template <class Value>
Value load_member(const std::uint8_t* p, std::size_t size) {
  Value v{};
  for (std::size_t i = 0; i < size; ++i) v = static_cast<Value>(v << 8 | p[i]);
  return v;
}

}  // namespace helio::policy
