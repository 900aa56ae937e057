// Members of an answer, tolerant of a daemon of another version: what is missing is empty or zero.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace helio::ctl {

const boost::json::value& member(const boost::json::value& object, std::string_view key);
// Printable, whatever it holds.
std::string text(const boost::json::value& object, std::string_view key);
std::string text_or_dash(const boost::json::value& object, std::string_view key);
double real(const boost::json::value& object, std::string_view key);
std::int64_t integer(const boost::json::value& object, std::string_view key);
bool flag(const boost::json::value& object, std::string_view key);
const boost::json::array& list(const boost::json::value& object, std::string_view key);
std::string joined(const boost::json::value& object, std::string_view key, std::string_view separator = " ");

}  // namespace helio::ctl
