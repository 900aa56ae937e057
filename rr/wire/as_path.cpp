#include "rr/wire/as_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace helio::wire {
namespace {

constexpr unsigned kMaxSegment = 255;

unsigned decision_length(Bytes value, bool four_octet) {
  AsPathReader reader(value, four_octet);
  AsPathSegment segment;
  unsigned length = 0;
  while (reader.next(segment)) length += segment.decision_length();
  return length;
}

// Appends four-octet segments; a sequence that continues a sequence goes on in the same segment up to 255 ASes.
class SegmentWriter {
 public:
  explicit SegmentWriter(std::vector<std::uint8_t>& out) : out_(out) {}
  void add(const AsPathSegment& segment, unsigned count) {
    bool continues = segment.type == segment_type::as_sequence && last_type_ == segment.type && out_[last_at_ + 1] + count <= kMaxSegment;
    if (!continues) {
      last_at_ = out_.size();
      last_type_ = segment.type;
      out_.push_back(segment.type);
      out_.push_back(0);
    }
    out_[last_at_ + 1] = static_cast<std::uint8_t>(out_[last_at_ + 1] + count);
    ByteWriter writer(out_);
    for (unsigned i = 0; i < count; ++i) writer.u32(segment.as(i));
  }

 private:
  std::vector<std::uint8_t>& out_;
  std::size_t last_at_ = 0;
  std::uint8_t last_type_ = 0;
};

// RFC 6793 §4.2.3: an AGGREGATOR other than AS_TRANS means that an old speaker aggregated after the AS4_* were set.
bool as4_attributes_are_stale(const UpdateView& update) {
  const AttributeView* aggregator = update.find(attr::aggregator);
  return aggregator && aggregator->value.size() >= 2 && load_be16(aggregator->value.data()) != kAsTrans;
}

}  // namespace

bool AsPathInfo::contains(Asn as) const {
  AsPathReader reader(value, four_octet);
  AsPathSegment segment;
  while (reader.next(segment))
    for (unsigned i = 0; i < segment.count; ++i)
      if (segment.as(i) == as) return true;
  return false;
}

AsPathInfo inspect_as_path(Bytes value, bool four_octet) {
  AsPathInfo info;
  info.value = value;
  info.four_octet = four_octet;
  AsPathReader reader(value, four_octet);
  AsPathSegment segment;
  bool leftmost = true;
  while (reader.next(segment)) {
    info.length_for_decision += segment.decision_length();
    if (leftmost && !segment.is_confederation()) {
      leftmost = false;
      if (!segment.is_set()) info.neighbor_as = segment.as(0);
    }
  }
  return info;
}

void normalise_as_path(std::vector<std::uint8_t>& out, const UpdateView& update, bool four_octet) {
  const AttributeView* path = update.find(attr::as_path);
  if (!path) return;
  if (four_octet) {
    out.insert(out.end(), path->value.begin(), path->value.end());
    return;
  }
  const AttributeView* as4 = update.find(attr::as4_path);
  unsigned length = decision_length(path->value, false);
  unsigned as4_length = as4 ? decision_length(as4->value, true) : 0;
  bool merge = as4 && as4_length <= length && !as4_attributes_are_stale(update);

  // The leading part that AS4_PATH does not cover: everything when there is nothing to merge. Confederation
  // segments count nothing and are taken while they lead or follow what was taken.
  unsigned wanted = merge ? length - as4_length : length;
  SegmentWriter writer(out);
  AsPathReader reader(path->value, false);
  AsPathSegment segment;
  while (reader.next(segment)) {
    if (segment.is_confederation()) {
      writer.add(segment, segment.count);
      continue;
    }
    if (wanted == 0) break;
    unsigned taken = segment.is_set() ? segment.count : std::min<unsigned>(segment.count, wanted);
    writer.add(segment, taken);
    wanted -= segment.is_set() ? 1 : taken;
    if (taken < segment.count) break;
  }
  if (!merge) return;
  AsPathReader as4_reader(as4->value, true);
  while (as4_reader.next(segment))
    if (!segment.is_confederation()) writer.add(segment, segment.count);
}

void normalise_aggregator(std::vector<std::uint8_t>& out, const UpdateView& update, bool four_octet) {
  const AttributeView* aggregator = update.find(attr::aggregator);
  if (!aggregator) return;
  Bytes value = aggregator->value;
  const AttributeView* as4 = four_octet ? nullptr : update.find(attr::as4_aggregator);
  if (as4 && !as4_attributes_are_stale(update)) value = as4->value;
  ByteWriter writer(out);
  if (value.size() == 8) {
    writer.bytes(value);
  } else if (value.size() == 6) {
    writer.u32(load_be16(value.data()));
    writer.bytes(value.subspan(2));
  }
}

void split_as_path(std::vector<std::uint8_t>& as_path, std::vector<std::uint8_t>& as4_path, Bytes as_path4) {
  bool fits = true;
  AsPathReader reader(as_path4, true);
  AsPathSegment segment;
  ByteWriter writer(as_path);
  while (reader.next(segment)) {
    writer.u8(segment.type);
    writer.u8(segment.count);
    for (unsigned i = 0; i < segment.count; ++i) {
      Asn as = segment.as(i);
      bool as_fits = as <= 0xffff;
      // RFC 6793 §4.2.2: AS4_PATH only when the path outside the confederation has a non-mappable AS.
      if (!as_fits && !segment.is_confederation()) fits = false;
      writer.u16(static_cast<std::uint16_t>(as_fits ? as : kAsTrans));
    }
  }
  if (fits) return;
  AsPathReader again(as_path4, true);
  ByteWriter as4_writer(as4_path);
  while (again.next(segment))
    if (!segment.is_confederation()) as4_writer.bytes(Bytes(segment.ases - 2, 2 + segment.count * 4u));
}

void split_aggregator(std::vector<std::uint8_t>& aggregator, std::vector<std::uint8_t>& as4_aggregator, Bytes aggregator4) {
  if (aggregator4.size() != 8) return;
  Asn as = load_be32(aggregator4.data());
  ByteWriter writer(aggregator);
  writer.u16(static_cast<std::uint16_t>(as <= 0xffff ? as : kAsTrans));
  writer.bytes(aggregator4.subspan(4));
  if (as > 0xffff) as4_aggregator.insert(as4_aggregator.end(), aggregator4.begin(), aggregator4.end());
}

void prepend_as(std::vector<std::uint8_t>& out, Bytes as_path4, Asn as, unsigned count) {
  ByteWriter writer(out);
  bool leads_with_sequence = as_path4.size() >= 2 && as_path4[0] == segment_type::as_sequence;
  unsigned present = leads_with_sequence ? as_path4[1] : 0;
  unsigned room = leads_with_sequence ? kMaxSegment - present : 0;
  unsigned joined = std::min(count, room);
  for (unsigned left = count - joined; left > 0;) {
    unsigned part = std::min(left, kMaxSegment);
    writer.u8(segment_type::as_sequence);
    writer.u8(static_cast<std::uint8_t>(part));
    for (unsigned i = 0; i < part; ++i) writer.u32(as);
    left -= part;
  }
  if (joined == 0) {
    writer.bytes(as_path4);
    return;
  }
  writer.u8(segment_type::as_sequence);
  writer.u8(static_cast<std::uint8_t>(present + joined));
  for (unsigned i = 0; i < joined; ++i) writer.u32(as);
  writer.bytes(as_path4.subspan(2));
}

std::string format_as_path(Bytes value, bool four_octet) {
  struct Style {
    const char* open;
    const char* separator;
    const char* close;
  };
  static constexpr Style kStyles[] = {{"", "", ""}, {"{", ",", "}"}, {"", " ", ""}, {"(", " ", ")"}, {"[", ",", "]"}};
  std::string out;
  AsPathReader reader(value, four_octet);
  AsPathSegment segment;
  while (reader.next(segment)) {
    const Style& style = kStyles[segment.type];
    if (!out.empty()) out += ' ';
    out += style.open;
    for (unsigned i = 0; i < segment.count; ++i) fmt::format_to(std::back_inserter(out), "{}{}", i ? style.separator : "", segment.as(i));
    out += style.close;
  }
  return out;
}

}  // namespace helio::wire
