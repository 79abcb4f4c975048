-- Lets the login of this system sign in with IAM authentication, after rds.sql. From then on its password is refused.
GRANT rds_iam TO dbms;
