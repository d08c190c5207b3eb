// The values that people type on the command line are those of configuration files (dspu/config/values.hpp);
// cli_option.hpp puts the option's name in front of what is wrong with one.
#pragma once

#include "dspu/config/values.hpp"

namespace dspu::app {

using config::parse_duration;
using config::parse_rate;
using config::parse_ratio;
using config::parse_size;
using config::rate_spec;

}  // namespace dspu::app
