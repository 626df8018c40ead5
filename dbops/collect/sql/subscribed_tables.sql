-- Tables that subscriptions fill. Everybody may see them, unlike the subscriptions themselves. Locks: none.
SELECT DISTINCT srrelid::bigint AS table_oid FROM pg_subscription_rel
