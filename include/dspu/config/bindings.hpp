// What a file cannot hold: the functions that its policies go by.
#pragma once

#include "dspu/aio/chaos.hpp"
#include "dspu/aio/outcome.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace dspu::config {

struct bindings {
  // Filters that a policy names: {"classify": "http"}.
  std::map<std::string, aio::classifier> classifiers = {};
  // The filter of those that name none. Null: the policies' own default.
  aio::classifier classify = nullptr;
  // Reads from a failure how long it asks us to wait, for retries and breakers. Null: the policies' own default.
  std::function<std::optional<aio::duration>(const aio::outcome&)> retry_after = nullptr;
  // What chaos injects, by name: {"fault": "reset"}, {"result": "unavailable"}.
  std::map<std::string, aio::fault_source> faults = {};
  std::map<std::string, aio::result_source> results = {};
};

}  // namespace dspu::config
