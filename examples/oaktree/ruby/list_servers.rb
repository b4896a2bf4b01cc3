# Lists every server of every cloud: ruby list_servers.rb HOST:PORT (without TLS, for an oaktree on this machine)

require "oaktree"

compute = Oaktree::V1::ComputeService::Stub.new(ARGV[0], :this_channel_is_insecure)
compute.list_servers(Oaktree::V1::ListServersRequest.new).each do |answer|
  answer.servers.each { |server| puts "#{server.location.cloud} #{server.name} #{server.status}" }
  answer.summary&.results&.each { |result| warn "#{result.location.cloud}: #{result.error.message}" if result.error }
end
