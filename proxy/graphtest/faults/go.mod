module graphproxy/proxy/graphtest/faults

go 1.26.0

require (
	github.com/Shopify/toxiproxy/v2 v2.5.0
	github.com/rs/zerolog v1.28.0
	graphproxy v0.0.0
)

replace graphproxy => ../../../
