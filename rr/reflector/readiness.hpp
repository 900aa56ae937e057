// Readiness: may other systems depend on this reflector? An operator's probes ask it before the second reflector of a pair is
// touched: so it says yes only when those that were to come are back, and their routes have been received and sent on. From then
// on a peer that flaps changes nothing; only the loss of the last session begins it anew.
//
//           first session              complete, and nobody is waited for
//   empty ───────────────► gathering ─────────────────────────────────────► ready
//     ▲                        │                                              │
//     └────────────────────────┴────────────── last session lost ─────────────┘
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace helio::reflector {

class Readiness {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Seconds = std::chrono::seconds;
  // So long all neighbours are waited for; after it half of them do: one that is down for weeks must not hold up the rest.
  static constexpr Seconds kPatience{120};
  // Of peers in listen ranges it is not known who comes: so long nobody else may have come.
  static constexpr Seconds kQuiet{30};

  struct Facts {
    std::uint32_t neighbors = 0;     // configured by address, those aside that an operator took down
    std::uint32_t neighbors_up = 0;  // of them, Established
    std::uint32_t up = 0;            // all that are Established
    std::uint32_t incomplete = 0;    // of them, those that have not sent their End-of-RIB or were not sent ours
    bool ranges = false;             // listen ranges are configured
    Seconds youngest{0};             // age of the session that is Established last
  };

  void update(const Facts& facts, TimePoint now) {
    bool nobody_can_come = facts.neighbors == 0 && !facts.ranges;
    if (facts.up == 0) {
      began_.reset();
      ready_ = nobody_can_come;
      waiting_for_ = ready_ ? "" : "the first session";
      return;
    }
    if (!began_) began_ = now;
    if (!ready_) waiting_for_ = missing(facts, std::chrono::duration_cast<Seconds>(now - *began_));
    ready_ = ready_ || waiting_for_.empty();
  }

  bool ready() const { return ready_; }
  // What is waited for, for the operator; empty when ready.
  const std::string& waiting_for() const { return waiting_for_; }

 private:
  static std::string missing(const Facts& facts, Seconds waited) {
    std::uint32_t down = facts.neighbors - facts.neighbors_up;
    bool patient = waited < kPatience;
    if (down > 0 && patient) return fmt::format("{} of {} neighbours, {} s more", down, facts.neighbors, (kPatience - waited).count());
    if (facts.neighbors_up < down) return fmt::format("more than half of {} neighbours: {} are down", facts.neighbors, down);
    if (facts.incomplete > 0) return fmt::format("the End-of-RIB from or to {} of {} peers", facts.incomplete, facts.up);
    if (facts.ranges && facts.youngest < kQuiet && patient)
      return fmt::format("further peers of the listen ranges, {} s more", std::min(kQuiet - facts.youngest, kPatience - waited).count());
    return {};
  }

  bool ready_ = false;
  std::string waiting_for_ = "the first session";
  std::optional<TimePoint> began_;  // the first of the sessions
};

}  // namespace helio::reflector
