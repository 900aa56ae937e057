// What the configuration means to sessions, to the engine and to policies: at the start and at every reload.
#pragma once
#include <memory>

#include "rr/config/config.hpp"
#include "rr/policy/compile.hpp"
#include "rr/reflector/shard.hpp"
#include "rr/session/session_manager.hpp"

namespace helio::app {

session::SessionSettings session_settings(const config::Config& config);
// Without policies and next hops.
reflector::EngineSettings engine_settings(const config::Config& config);
// Null when there are none and were none before. Of a checked configuration: it has no mistakes.
std::shared_ptr<const policy::Program> compile_policies(const config::Config& config, const policy::Program* previous);

}  // namespace helio::app
