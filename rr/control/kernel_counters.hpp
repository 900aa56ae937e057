// What the kernel drops before a daemon sees it: segments with a wrong or missing TCP-MD5 key, packets below the TTL that
// GTSM asks for. Counted for the whole network namespace, not by peer.
#pragma once
#include <cstdint>
#include <string_view>

namespace helio::control {

struct KernelCounters {
  std::uint64_t md5_missing = 0;     // TCPMD5NotFound: a key is set here, the segment has no signature
  std::uint64_t md5_unexpected = 0;  // TCPMD5Unexpected: the segment is signed, no key is set here
  std::uint64_t md5_wrong = 0;       // TCPMD5Failure: signed with another key
  std::uint64_t ttl_drops = 0;       // TCPMinTTLDrop: RFC 5082
  KernelCounters operator-(const KernelCounters& o) const {
    return {md5_missing - o.md5_missing, md5_unexpected - o.md5_unexpected, md5_wrong - o.md5_wrong, ttl_drops - o.ttl_drops};
  }
  bool operator==(const KernelCounters&) const = default;
};

// Of /proc/net/netstat; zero for what is not there.
KernelCounters parse_kernel_counters(std::string_view netstat);
KernelCounters read_kernel_counters();

}  // namespace helio::control
