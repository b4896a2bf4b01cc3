# What a cloud's hypervisors have, by the cloud's own API: ruby rest.rb HOST:PORT CLOUD REGION

require "oaktree"

clouds = Oaktree::V1::CloudService::Stub.new(ARGV[0], :this_channel_is_insecure)
compute = Oaktree::Rest.new(clouds, Oaktree::V1::Location.new(cloud: ARGV[1], region: ARGV[2]), "compute")
puts compute.get("os-hypervisors/statistics").body
