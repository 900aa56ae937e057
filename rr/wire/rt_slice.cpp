#include "rr/wire/rt_slice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace helio::wire {
namespace {

std::uint64_t mix64(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccd;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53;
  x ^= x >> 33;
  return x;
}

// Of 0..buckets-1.
std::uint32_t jump_hash(std::uint64_t key, std::uint32_t buckets) {
  std::int64_t at = -1, next = 0;
  while (next < static_cast<std::int64_t>(buckets)) {
    at = next;
    key = key * 2862933555777941757u + 1;
    next = static_cast<std::int64_t>(static_cast<double>(at + 1) * (static_cast<double>(1ull << 31) / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::uint32_t>(at);
}

// Bits of the local administrator (RFC 4360 §3.1, 3.2, RFC 5668): 32 behind a two-octet AS, else 16.
std::uint64_t local_mask(std::uint64_t target) { return (target >> 56 & 0x3f) == 0 ? 0xffffffff : 0xffff; }

}  // namespace

std::uint32_t plane_of(RouteTarget rt, std::uint32_t count) { return 1 + jump_hash(mix64(rt.value), std::max(count, 1u)); }

Result<RtRange, std::string> parse_rt_range(std::string_view text) {
  auto wrong = [&] { return Unexpected(fmt::format("\"{}\" is no range of route targets", text)); };
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  std::string_view locals = text.substr(colon + 1);
  std::string_view first = locals.substr(0, locals.find('-'));
  bool all = locals == "*";
  auto low = parse_rt(fmt::format("{}:{}", text.substr(0, colon), all ? "0" : first));
  if (!low) return wrong();
  RtRange range{low->value, low->value};
  std::uint64_t mask = local_mask(low->value);
  if (all) {
    range.last |= mask;
  } else if (first.size() < locals.size()) {
    std::string_view number = locals.substr(first.size() + 1);
    std::uint64_t last = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), last);
    if (error != std::errc() || end != number.data() + number.size() || last > mask) return wrong();
    range.last = (range.first & ~mask) | last;
    if (range.last < range.first) return Unexpected(fmt::format("\"{}\" ends before it begins", text));
  }
  return range;
}

std::string format_rt_range(const RtRange& range) {
  std::uint64_t mask = local_mask(range.first);
  std::string first = format_rt(RouteTarget{range.first});
  if (range.first == range.last) return first;
  if ((range.first & mask) == 0 && (range.last & mask) == mask) return fmt::format("{}:*", first.substr(0, first.rfind(':')));
  return fmt::format("{}-{}", first, range.last & mask);
}

RtSlice RtSlice::plane(std::uint32_t index, std::uint32_t count, std::optional<bool> holds_untargeted) {
  RtSlice slice;
  slice.index_ = index;
  slice.count_ = count;
  slice.holds_untargeted_ = holds_untargeted.value_or(index == 1);
  return slice;
}

RtSlice RtSlice::ranges(std::vector<RtRange> ranges, bool holds_untargeted) {
  RtSlice slice;
  slice.holds_untargeted_ = holds_untargeted;
  std::ranges::sort(ranges);
  for (const RtRange& range : ranges) {
    // Not beyond an administrator, so that text() can say it.
    bool joins = !slice.ranges_.empty() && range.first <= slice.ranges_.back().last + 1 &&
                 (range.first & ~local_mask(range.first)) == (slice.ranges_.back().first & ~local_mask(slice.ranges_.back().first));
    if (joins) slice.ranges_.back().last = std::max(slice.ranges_.back().last, range.last);
    else slice.ranges_.push_back(range);
  }
  return slice;
}

bool RtSlice::holds(std::uint64_t target) const {
  if (count_ > 1) return plane_of(RouteTarget{target}, count_) == index_;
  if (ranges_.empty()) return true;
  auto after = std::ranges::upper_bound(ranges_, target, {}, &RtRange::first);
  return after != ranges_.begin() && target <= std::prev(after)->last;
}

bool RtSlice::holds_route(std::span<const std::uint64_t> targets) const {
  if (targets.empty()) return is_everything() || holds_untargeted_;
  return std::ranges::any_of(targets, [&](std::uint64_t target) { return holds(target); });
}

bool RtSlice::may_hold(const RtMembership& membership) const {
  if (membership.matches_everything()) return true;
  unsigned bits = membership.length - 32u;
  if (bits == 64) return holds(membership.target);
  if (ranges_.empty()) return true;
  std::uint64_t last = membership.target | (~std::uint64_t{0} >> bits);
  return std::ranges::any_of(ranges_, [&](const RtRange& r) { return r.first <= last && membership.target <= r.last; });
}

std::vector<RtMembership> RtSlice::wanted(Asn origin_as) const {
  if (ranges_.empty()) return {RtMembership{}};
  std::vector<RtMembership> out;
  for (const RtRange& range : ranges_) {
    // The largest aligned block that begins here and fits, again and again.
    for (std::uint64_t at = range.first;;) {
      unsigned free = std::min(at == 0 ? 63u : static_cast<unsigned>(std::countr_zero(at)), 63u);
      while (free > 0 && (range.last - at) < (std::uint64_t{1} << free) - 1) --free;
      out.push_back({static_cast<std::uint8_t>(96 - free), origin_as, at});
      std::uint64_t size = std::uint64_t{1} << free;
      if (range.last - at < size) break;
      at += size;
    }
  }
  return out;
}

std::string RtSlice::text() const {
  if (count_ > 1) return fmt::format("plane {} of {}", index_, count_);
  std::string out;
  for (const RtRange& range : ranges_) out += (out.empty() ? "route targets " : ", ") + format_rt_range(range);
  return out;
}

}  // namespace helio::wire
