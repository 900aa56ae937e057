// The path attributes Heliograph knows: one row each with flags, length rule, check and what RFC 7606 does on an error.
// decode_update obeys the table; a new attribute is a new row.
#pragma once
#include <string_view>

#include "rr/wire/update.hpp"

namespace helio::wire {

struct AttributeRule {
  enum class Length : std::uint8_t { any, exactly, at_least, nonzero_multiple };

  std::uint8_t type;
  std::string_view name;
  std::uint8_t flags;            // required Optional and Transitive bits (RFC 7606 §3.c)
  UpdateErrorAction on_flags;    // what a flags conflict does
  UpdateErrorAction on_error;    // what a bad length or value does
  std::uint8_t length_subcode;   // RFC 4271 §6.3 subcode where the error has to reset the session (RFC 7606 §5.2)
  std::uint8_t value_subcode;
  bool internal_only;            // from an external neighbour: discarded whatever it says (RFC 7606 §7.5, 7.9, 7.10)
  Length length;
  std::uint8_t octets;           // operand of `length`
  const char* length_reason;
  // Null when the value is good, else the reason. Called with a length that obeys the rule.
  const char* (*check)(Bytes value, const UpdateContext& context);
};

// Null for an attribute that is not in the table.
const AttributeRule* find_attribute_rule(std::uint8_t type);
// "ORIGIN", "MP_REACH_NLRI", ...; "unknown" for an attribute that is not in the table.
std::string_view attribute_name(std::uint8_t type);

inline bool length_obeys(const AttributeRule& rule, std::size_t size) {
  switch (rule.length) {
    case AttributeRule::Length::any: return true;
    case AttributeRule::Length::exactly: return size == rule.octets;
    case AttributeRule::Length::at_least: return size >= rule.octets;
    case AttributeRule::Length::nonzero_multiple: return size != 0 && size % rule.octets == 0;
  }
  return false;
}

}  // namespace helio::wire
