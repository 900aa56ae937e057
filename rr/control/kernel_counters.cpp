#include "rr/control/kernel_counters.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace helio::control {

KernelCounters parse_kernel_counters(std::string_view netstat) {
  KernelCounters out;
  std::istringstream lines{std::string(netstat)};
  std::string names, values;
  // Pairs of lines: "TcpExt: Name …", "TcpExt: 12 …".
  while (std::getline(lines, names) && std::getline(lines, values)) {
    if (!names.starts_with("TcpExt:")) continue;
    std::istringstream name_words(names), value_words(values);
    std::string name, value;
    while (name_words >> name && value_words >> value) {
      std::uint64_t number = 0;
      std::from_chars(value.data(), value.data() + value.size(), number);
      if (name == "TCPMD5NotFound") out.md5_missing = number;
      else if (name == "TCPMD5Unexpected") out.md5_unexpected = number;
      else if (name == "TCPMD5Failure") out.md5_wrong = number;
      else if (name == "TCPMinTTLDrop") out.ttl_drops = number;
    }
  }
  return out;
}

KernelCounters read_kernel_counters() {
  std::ifstream file("/proc/net/netstat");
  std::stringstream text;
  text << file.rdbuf();
  return parse_kernel_counters(text.str());
}

}  // namespace helio::control
