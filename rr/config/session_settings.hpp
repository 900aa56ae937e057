// The configuration as the session layer wants it: immutable group settings shared by their peers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "rr/config/config.hpp"
#include "rr/session/settings.hpp"

namespace helio::config {

struct SessionSettings {
  std::vector<session::ListenEndpoint> listen;
  std::vector<std::shared_ptr<const session::GroupSettings>> groups;  // as in Config::peer_groups
  std::vector<session::NeighborSettings> neighbors;
  std::vector<session::ListenRange> listen_ranges;
};

// `hostname` is what the FQDN capability carries. A neighbour with settings of its own (passive, local-address,
// auth-password-file) gets a copy of its group's settings with these changed.
SessionSettings make_session_settings(const Config& config, const std::string& hostname);

}  // namespace helio::config
