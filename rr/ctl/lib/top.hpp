// helioctl top: peers by lag, churn or flaps and route targets by churn, a screen that is drawn again each second.
#pragma once
#include <boost/json/value.hpp>
#include <iosfwd>
#include <string>

#include "rr/ctl/lib/client.hpp"
#include "rr/ctl/lib/command.hpp"

namespace helio::ctl {

// What a frame is made of.
struct TopSample {
  boost::json::value summary, peers, churn;  // answers of /v1/summary, /v1/peers, /v1/churn
};
enum class TopSort : std::uint8_t { lag, churn, flaps };

// A frame of exactly `rows` lines of at most `columns` characters. Rates are those between the samples.
std::string render_top(const TopSample& before, const TopSample& now, double seconds, TopSort sort, std::size_t columns, std::size_t rows);

int top(const Command& command, Client& client, std::ostream& out, std::ostream& err);

}  // namespace helio::ctl
